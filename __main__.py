"""Lets ``python -m teasel`` stand in for the ``teasel`` command."""

import sys

from .sweep.cli import main

if __name__ == "__main__":
    sys.exit(main())
