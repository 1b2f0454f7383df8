"""Draws the pictures of docs/datasets.md: all data sets that are at hand, or those named.

.venv/bin/python docs/render_galleries.py [NAME ...] [--folder docs/pictures]
"""

import argparse
from pathlib import Path

from teasel.datasets import DATASETS, DataError, load
from teasel.datasets.gallery import save_gallery


def main() -> None:
    """Writes one PNG a data set and says which could not be had."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", default=list(DATASETS))
    parser.add_argument("--folder", type=Path, default=Path("docs/pictures"))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.names:
        try:
            save_gallery(load(name), options.folder / f"{name}.png")
        except DataError as error:
            print(f"{name}: {error}")


if __name__ == "__main__":
    main()
