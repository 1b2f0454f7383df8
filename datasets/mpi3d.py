"""MPI3D (Gondal et al. 2019): a robot arm holds an object, rendered in two ways and filmed."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from .arrays import read_grid
from .dataset import Example, Factor
from .definition import Definition
from .files import PublishedFile
from .published import Publication

_PLACE = "https://storage.googleapis.com/mpi3d_disentanglement_dataset/data/"
GRID = (
    Factor("object_color", 6),
    Factor("object_shape", 6),
    Factor("object_size", 2),
    Factor("camera_height", 3),
    Factor("background_color", 3),
    Factor("horizontal_axis", 40),
    Factor("vertical_axis", 40),
)


def read(paths: list[Path], grid: tuple[Factor, ...] = GRID) -> Iterator[Example]:
    """The images of a published file, which holds them in the grid's order."""
    return read_grid(paths[0], "images", (64, 64, 3), grid, "MPI3D")


def define(kind: str, served_as: str, grid: tuple[Factor, ...] = GRID) -> Definition:
    """One of the three data sets, all on the same grid.

    Args:
        kind: "toy", "realistic" or "real".
        served_as: The file's name on the server.
        grid: Its factors.
    """
    return Definition(
        name=f"mpi3d_{kind}",
        label=f"MPI3D ({kind})",
        grid=grid,
        row_shape=(64, 64, 3),
        publication=Publication(
            files=(PublishedFile(f"mpi3d_{kind}.npz", (_PLACE + served_as,)),),
            licence="CC BY 4.0",
            homepage="https://github.com/rr-learning/disentanglement_dataset",
            read=partial(read, grid=grid),
        ),
    )


MPI3D_TOY = define("toy", "mpi3d_toy.npz")
MPI3D_REALISTIC = define("realistic", "mpi3d_realistic.npz")
MPI3D_REAL = define("real", "real.npz")
