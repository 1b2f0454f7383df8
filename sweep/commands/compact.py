"""`teasel compact`: folds the many small files of a results folder into few."""

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
    """Folds the files and prints what became of them."""
    print_compacted(arguments.results)
    return DONE


def print_compacted(uri: str) -> None:
    """Folds a results folder's files and prints what became of them; safe while a study runs.

    Raises:
        ResultsError: If there is no study.
        StoreError: If a file is damaged, or the folder cannot be written; nothing is lost then.
    """
    results = Results(uri)
    _ = results.study
    for folder in (*(f"tables/{name}" for name in COLUMNS), *results.code_folders()):
        before = len(list_files(results.store, folder).files)
        compact(results, folder)
        after = len(list_files(results.store, folder).files)
        if before:
            show(f"{folder}: {before:,} files, {after:,} now")
