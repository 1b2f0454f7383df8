"""Writes the API reference from the docstrings, a page for each public room.

.venv/bin/python docs/render_api.py [--folder build/api]

A warning ends it: a name that does not resolve, an annotation that cannot be read.
"""

import argparse
import warnings
from importlib import import_module
from pathlib import Path

import pdoc

ROOMS = (
    "teasel",
    "teasel.analysis",
    "teasel.analysis.plots.plots",
    "teasel.cluster",
    "teasel.datasets",
    "teasel.errors",
    "teasel.metrics",
    "teasel.models",
    "teasel.settings",
    "teasel.sweep",
    "teasel.testing",
)


def main() -> None:
    """Writes the pages and says where they begin."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/api"))
    folder = parser.parse_args().folder
    for room in ROOMS:
        module = import_module(room)
        for name in getattr(module, "__all__", ()):  # a face imports a name when it is asked for
            setattr(module, name, getattr(module, name))
    warnings.simplefilter("error", UserWarning)
    pdoc.render.configure(docformat="google", math=False)
    pdoc.pdoc(*ROOMS, output_directory=folder)
    print(f"{folder / 'teasel.html'} is the first page.")


if __name__ == "__main__":
    main()
