"""`teasel metrics`: the metrics that a grid may name."""

import argparse

from ...metrics import METRICS
from .command_line import DONE, Report, add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `teasel metrics`."""
    add_json(parser)


def main(arguments: argparse.Namespace) -> int:
    """Prints every metric: its version, its parameters and who defined it."""
    report, metrics = Report(arguments.json), {}
    for name, metric in METRICS.items():
        values = ", ".join(f"{key}={value}" for key, value in metric.defaults.items())
        report.add(f"{name} (version {metric.version}): {values}")
        report.add(f"  {metric.label}; {metric.reference}")
        metrics[name] = {
            "label": metric.label,
            "reference": metric.reference,
            "version": metric.version,
            "parameters": metric.defaults,
        }
    report.add(metrics=metrics)
    report.end()
    return DONE
