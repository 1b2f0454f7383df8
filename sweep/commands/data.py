"""`teasel data`: lists which data sets are present and how to get the rest, or prepares one."""

import argparse

from ...datasets import DATASETS
from ...errors import UnknownNameError
from .command_line import DONE, Report, add_json, show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `teasel data`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    what = "list the data sets, with what is present, what is missing and how to get it"
    add_json(actions.add_parser("list", help=what, description=what))
    what = "download or render a data set into the cache"
    example = "example: teasel data prepare dsprites"
    prepare = actions.add_parser("prepare", help=what, description=what, epilog=example)
    prepare.add_argument("name", metavar="NAME", help="name of a data set in the catalogue")


def main(arguments: argparse.Namespace) -> int:
    """Prints what is present of every data set and how to get the rest, or prepares one.

    Raises:
        UnknownNameError: If there is no such data set.
        DataError: If its files cannot be obtained.
    """
    if arguments.action == "prepare":
        if arguments.name not in DATASETS:
            raise UnknownNameError("data set", arguments.name, DATASETS)
        show(repr(DATASETS[arguments.name].prepare()))
        return DONE
    report, datasets = Report(arguments.json), {}
    for name, dataset in DATASETS.items():
        status = dataset.status()
        size = f"{status.num_images:,} images, {status.num_bytes / 1e6:,.0f} MB"
        datasets[name] = status
        report.add(f"{name}: {status.state}; {size}; {status.licence}")
        for line in (status.homepage, status.advice):
            if line:
                report.add(f"  {line}")
    report.add(datasets=datasets)
    report.end()
    return DONE
