"""Catalogue entries of data sets: how to make, open, prepare and describe them."""

import hashlib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..words import readable
from .cache import PUBLISHED, Recipe, description, open_prepared
from .combinations import what_is_offered
from .dataset import Appearance, DataError, Dataset, Factor
from .files import PublishedFile, download, find, where_to_put
from .published import Publication
from .sampling import Sampling


class Status(NamedTuple):
    """What is present of a data set, and how to get the rest."""

    name: str
    ready: bool
    state: str
    num_images: int
    num_bytes: int
    licence: str
    homepage: str
    advice: str


@dataclass(frozen=True)
class Definition:
    """A data set of the catalogue. Calling it opens the data set, and makes it first if needed.

    Attributes:
        name: The name in the catalogue.
        grid: All factors, the last one fastest.
        row_shape: The shape of one stored, square image: (512,) as bits, otherwise (H, W, C).
        publication: The publisher's files, preferred to rendering.
        render: Renders the images in the grid's order, in chunks.
        appearance: Returns what an observation adds, from the folder of publishers' files.
        painting: The file that `appearance` reads.
        source: The name of rendered images in the results.
        stored_as: The cache file's name, if data sets share one.
        version: Change it when rendering or reading gives different images.
        label: Its label in tables and figures; by default its name.
        table: The factors of each image if they do not form a grid; see `Dataset`.
        places: The positions (N,) of rendered images in the store; None if unchanged.
        sampling: How training samples from it if not uniformly; see `drawn_by`.
    """

    name: str
    grid: tuple[Factor, ...]
    row_shape: tuple[int, ...]
    publication: Publication | None = None
    render: Callable[[], Iterable[np.ndarray]] | None = None
    appearance: Callable[[Path | None], Appearance] | None = None
    painting: PublishedFile | None = None
    source: str = "drawn"
    stored_as: str = ""
    version: int | str = 1
    label: str = ""
    table: np.ndarray | None = field(default=None, compare=False)
    places: np.ndarray | None = field(default=None, compare=False)
    sampling: Sampling | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", self.label or readable(self.name))

    def __call__(self, data_dir: Path | None = None) -> Dataset:
        """The data set, from the cache, from existing files or rendered; never downloaded.

        Raises:
            DataError: If a file is missing or broken, or the cache can't be written.
        """
        appearance = self.appearance(data_dir) if self.appearance else None
        store, info = open_prepared(self._recipe(data_dir))
        content = (self.grid, self.row_shape, appearance and appearance.identity, info["sha256"])
        if self.table is not None:
            content = (*content, str(self.table.dtype), info["factors_sha256"])
        return Dataset(
            name=self.name,
            grid=self.grid,
            store=store,
            image_shape=self.image_shape,
            source=info["source"],
            fingerprint=hashlib.sha256(repr(content).encode()).hexdigest(),
            appearance=appearance,
            table=self.table,
            sampling=self.sampling,
        )

    def drawn_by(self, sampling: Sampling, name: str) -> "Definition":
        """The data set under this name, with the same images but another sampling in training.

        Raises:
            DataError: If it lacks a combination of factors, or a factor or value of `sampling`.
        """
        if self.offers != "all combinations":
            raise DataError(
                f"{self.name} offers {self.offers}; expected an image of each combination of its "
                f"factors, as `correlated` and `held_out` need"
            )
        try:
            sampling.weights({f.name: f.size for f in self.grid if not f.hidden})
        except ValueError as error:
            raise DataError(f"{self.name} has {error}") from error
        label = f"{self.label}{readable(name.removeprefix(self.name))}"
        label = label if name.startswith(self.name) else ""
        stored_as = self._file
        return replace(self, name=name, label=label, stored_as=stored_as, sampling=sampling)

    def prepare(self, data_dir: Path | None = None) -> Dataset:
        """The data set, after downloading missing files."""
        for file in self._list_missing(data_dir):
            download(file)
        return self(data_dir)

    @property
    def needs_files(self) -> bool:
        """Whether opening it needs publishers' or users' files, or an earlier preparation."""
        return self.painting is not None or self.render is None

    def check_files(self, data_dir: Path | None = None) -> None:
        """Checks that the files needed to open the data set exist.

        Raises:
            DataError: If one is missing; the message says which, and how to get it.
        """
        if self._list_missing(data_dir):
            status = self.status(data_dir)
            raise DataError(f"{status.state}. {status.advice}")

    def status(self, data_dir: Path | None = None) -> Status:
        """What is present, what is missing, its size, its licence and how to get it."""
        info, missing = self._description(), self._list_missing(data_dir)
        if missing:
            num_bytes = sum(file.num_bytes for file in missing)
            amount = f"{num_bytes / 1e6:,.0f} MB" if num_bytes else "it"
            state = "missing " + ", ".join(file.name for file in missing)
            advice = (
                f"`teasel data prepare {self.name}` downloads {amount} if still available. "
                f"{where_to_put(missing)}"
            )
        elif info:
            state, advice = f"prepared ({info['source']})", ""
        elif self._find_files(data_dir):
            state, advice = "files found", "prepared at first use"
        else:
            state, advice = "to be rendered", "rendered at first use"
        return Status(
            name=self.name,
            ready=bool(info) and not missing,
            state=state,
            num_images=self.num_images,
            num_bytes=self.num_bytes,
            licence=self.publication.licence if self.publication else "drawn by Teasel",
            homepage=self.publication.homepage if self.publication else "",
            advice=advice,
        )

    @property
    def num_images(self) -> int:
        """The number of images, including those of hidden factors."""
        grid = math.prod(factor.size for factor in self.grid)
        return grid if self.table is None else len(self.table)

    @cached_property
    def offers(self) -> str:
        """What it offers to metrics: a word of `teasel.metrics.NEEDS`."""
        return what_is_offered([f.size for f in self.grid if not f.hidden], self.table)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """The (H, W, C) of an observation; images with an added appearance have three channels."""
        packed = len(self.row_shape) == 1
        height = math.isqrt(8 * self.row_shape[0]) if packed else self.row_shape[0]
        stored = 1 if packed else self.row_shape[2]
        return (height, height, 3 if self.appearance else stored)

    @property
    def num_bytes(self) -> int:
        """The size of the stored images, on disk and on a device."""
        return self.num_images * math.prod(self.row_shape)

    @property
    def _file(self) -> str:
        return self.stored_as or self.name

    def _description(self) -> dict[str, Any] | None:
        return description(self._file)

    def _find_files(self, data_dir: Path | None) -> list[Path]:
        return self.publication.find_files(data_dir) if self.publication else []

    def _list_missing(self, data_dir: Path | None) -> list[PublishedFile]:
        """The files that are needed to open the data set, but missing."""
        needed = [self.painting] if self.painting else []
        if self.publication and not self.render and not self._description():
            needed += self.publication.files
        return [file for file in needed if not find(file, data_dir)]

    def _recipe(self, data_dir: Path | None) -> Recipe:
        name, grid, row_shape, version = self._file, self.grid, self.row_shape, self.version
        publication, render = self.publication, self.render
        if render and not self._find_files(data_dir):
            place = self.table, self.places
            return Recipe(name, grid, row_shape, self.source, render, version, *place)
        if publication is None:
            raise ValueError(f"{self.name} has neither a publication nor a way to render it")

        def chunks() -> Iterable[np.ndarray]:
            return publication.rows(name, grid, row_shape, data_dir)

        return Recipe(name, grid, row_shape, PUBLISHED, chunks, version)
