"""Cars3D (Reed et al. 2015): 183 cars seen from 24 azimuths and 4 elevations."""

import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np

from .dataset import DataError, Example, Factor
from .definition import Definition
from .files import PublishedFile
from .published import Publication

ARCHIVE = PublishedFile(
    "nips2015-analogy-data.tar.gz",
    (
        "http://www.scottreed.info/files/nips2015-analogy-data.tar.gz",
        "http://www-personal.umich.edu/~reedscot/files/nips2015-analogy-data.tar.gz",
    ),
    digest="md5:4e866a7919c1beedf53964e6f7a23686",
    unpacked="cars",
)


def read(paths: list[Path]) -> Iterator[Example]:
    """Every view of every car, 128 x 128, from the archive or its unpacked folder.

    Differs from the original: cars are numbered by sorted file name, not in the file system's
    order.
    """
    from scipy.io import loadmat

    contents = dict(_folder(paths[0]) if paths[0].is_dir() else _archive(paths[0]))
    if not contents:
        raise DataError(f"{paths[0]} holds no cars/*.mat")
    for car, name in enumerate(sorted(contents)):
        try:
            views = loadmat(BytesIO(contents[name]), variable_names=["im"])["im"]
        except Exception as error:  # scipy raises a dozen types on a broken file
            raise DataError(f"{paths[0]}: {name} can't be read: {error!r}") from error
        if views.shape != (128, 128, 3, 24, 4) or views.dtype != np.uint8:
            raise DataError(
                f"{paths[0]}: {name} holds {views.dtype} {views.shape}, "
                f"not uint8 (128, 128, 3, 24, 4)"
            )
        for elevation in range(4):
            for azimuth in range(24):
                yield views[..., azimuth, elevation], (elevation, azimuth, car)


def _folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in folder.glob("*.mat"):
        yield path.name, path.read_bytes()


def _archive(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                folder, _, name = member.name.rpartition("/")
                if folder.split("/")[-1] == "cars" and name.endswith(".mat"):
                    file = archive.extractfile(member)
                    if file:
                        yield name, file.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"{path} is not the published archive: {error}") from error


def shrink(image: np.ndarray) -> np.ndarray:
    """The 64 x 64 image, resampled by Lanczos as in the paper."""
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((64, 64), Image.Resampling.LANCZOS))


CARS3D = Definition(
    name="cars3d",
    label="Cars3D",
    grid=(Factor("elevation", 4), Factor("azimuth", 24), Factor("object", 183)),
    row_shape=(64, 64, 3),
    publication=Publication(
        files=(ARCHIVE,),
        licence="none stated; made for research (Fidler et al. 2012, Reed et al. 2015)",
        homepage="http://www.scottreed.info",
        read=read,
        convert=shrink,
    ),
)
