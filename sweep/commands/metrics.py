"""`teasel metrics`: the metrics that a grid may name."""

import argparse

from ...metrics import METRICS
from .command_line import DONE, show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds nothing: `teasel metrics` has no arguments."""


def main(arguments: argparse.Namespace) -> int:
    """Prints every metric: its version, its parameters and who defined it."""
    for name, metric in METRICS.items():
        values = ", ".join(f"{key}={value}" for key, value in metric.defaults.items())
        show(f"{name} (version {metric.version}): {values}")
        show(f"  {metric.label}; {metric.reference}")
    return DONE
