"""Data sets: images and the factors that generated them.

A data set is a grid or a table of factors over one memory-mapped file of images. The same code
observes it in NumPy and inside a jitted step, where batches are sampled from a key. `DATASETS` is
the catalogue; `load` opens a data set, and prepares it first if needed.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..catalogue import Catalogue, expect
from ..errors import UnknownNameError
from .appearance import SCREAM, color, noise, scream
from .cache import cache_dir
from .cars3d import CARS3D
from .custom import find_file, from_file, from_function, from_npz, hash_file
from .dataset import Appearance, DataError, Dataset, Factor
from .definition import Definition, Status
from .dsprites import DSPRITES, DSPRITES_MINI, DSPRITES_NOSHAPE
from .files import PublishedFile
from .mpi3d import MPI3D_REAL, MPI3D_REALISTIC, MPI3D_TOY
from .sampling import Sampling
from .shapes3d import SHAPES3D
from .shapes3d_synthetic import SHAPES3D_SYNTHETIC
from .smallnorb import SMALLNORB

__all__ = [
    "DATASETS",
    "Appearance",
    "DataError",
    "Dataset",
    "Definition",
    "Factor",
    "Sampling",
    "Status",
    "cache_dir",
    "find_file",
    "from_file",
    "from_function",
    "from_npz",
    "hash_file",
    "load",
]


def _variant(
    definition: Definition,
    prefix: str,
    label: str,
    appearance: Callable[[Path | None], Appearance],
    painting: PublishedFile | None = None,
) -> Definition:
    return replace(
        definition,
        name=f"{prefix}_{definition.name}",
        label=f"{label}-{definition.label}",
        stored_as=definition.name,
        appearance=appearance,
        painting=painting,
    )


DATASETS: Catalogue[Definition] = Catalogue(
    "datasets",
    {
        "dsprites": DSPRITES,
        "color_dsprites": _variant(DSPRITES, "color", "Color", color),
        "noisy_dsprites": _variant(DSPRITES, "noisy", "Noisy", noise),
        "scream_dsprites": _variant(DSPRITES, "scream", "Scream", scream, SCREAM),
        "smallnorb": SMALLNORB,
        "cars3d": CARS3D,
        "shapes3d": SHAPES3D,
        "shapes3d_synthetic": SHAPES3D_SYNTHETIC,
        "dsprites_noshape": DSPRITES_NOSHAPE,
        "mpi3d_toy": MPI3D_TOY,
        "mpi3d_realistic": MPI3D_REALISTIC,
        "mpi3d_real": MPI3D_REAL,
        "dsprites_mini": DSPRITES_MINI,
        "color_dsprites_mini": _variant(DSPRITES_MINI, "color", "Color", color),
        "noisy_dsprites_mini": _variant(DSPRITES_MINI, "noisy", "Noisy", noise),
        "scream_dsprites_mini": _variant(DSPRITES_MINI, "scream", "Scream", scream, SCREAM),
    },
    adopt=expect(Definition, ", such as from_file and from_function return"),
)


def load(name: str, data_dir: Path | str | None = None) -> Dataset:
    """The data set `name` of the catalogue, prepared first if it isn't in the cache.

    Args:
        name: A key of `DATASETS`.
        data_dir: The folder of publishers' files; by default TEASEL_DATA_DIR, if set.

    Raises:
        UnknownNameError: If the catalogue has no such name.
        DataError: If its files can't be obtained or the cache can't be written.

    >>> load("dsprites_mini").factor_sizes
    (3, 6, 10, 16, 16)
    """
    if name not in DATASETS:
        raise UnknownNameError("data set", name, DATASETS)
    return DATASETS[name](Path(data_dir) if data_dir else None)
