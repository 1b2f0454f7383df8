"""`teasel compact`: combines the many small files of a results folder into a few."""

import argparse

from ..store.compact import compact
from ..store.files import list_files
from ..store.results import Results
from ..store.tables import COLUMNS
from .command_line import DONE, add_results, show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `teasel compact`."""
    add_results(parser)


def main(arguments: argparse.Namespace) -> int:
    """Combines a folder's files and prints how many are left. This is safe while a study runs.

    Raises:
        ResultsError: If there is no study.
        StoreError: If a file is damaged or the folder cannot be written. Nothing is lost then.
    """
    results = Results(arguments.results)
    _ = results.study
    for folder in (*(f"tables/{name}" for name in COLUMNS), *results.code_folders()):
        before = len(list_files(results.store, folder).files)
        compact(results, folder)
        after = len(list_files(results.store, folder).files)
        if before:
            show(f"{folder}: {before:,} files, {after:,} now")
    return DONE
