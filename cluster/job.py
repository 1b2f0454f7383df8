"""What is to be run elsewhere: a study that was checked here, and where its results go."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import TeaselError
from ..sweep.grid.grid import load_grid, packaged_grids
from ..sweep.grid.select import select as select_trials
from ..sweep.grid.source import Source
from ..sweep.study.study import wanted_trials
from .secrecy import shows_secret


class SubmitError(TeaselError):
    """A study cannot be submitted as asked; says what is in the way."""


class Job(NamedTuple):
    """A run of some grids.

    Attributes:
        study: The study's name.
        grids: Names of packaged grids, and absolute paths of files.
        sources: Those files.
        results: A URI, or an absolute path.
        select: The selection, if there is one.
        changes: What the grids have otherwise than their files.
    """

    study: str
    grids: tuple[str, ...]
    sources: tuple[Source, ...]
    results: str
    select: str | None
    changes: tuple[str, ...] = ()

    def arguments(self, folder: str | None = None) -> list[str]:
        """The arguments of `teasel` that do this job.

        Args:
            folder: Where `files_to_ship` will lie; by default the grids stay where they are.
        """
        grids = list(self.grids)
        if folder is not None:
            grids = [f"{folder}/{Path(g).name}" if Path(g).is_absolute() else g for g in grids]
        selection = ["--select", self.select] if self.select else []
        changes = [word for change in self.changes for word in ("--set", change)]
        return ["run", *grids, "--results", self.results, *selection, *changes]

    def files_to_ship(self) -> dict[str, str]:
        """The text of the grids that are files, by file name, to be carried to where the job runs.

        Raises:
            SubmitError: If two have the same name, or one names a data file relative to itself.
        """
        files = {Path(source.name).name: source.text for source in self.sources}
        if len(files) < len(self.sources):
            raise SubmitError("two of the grids have the same file name")
        for source in self.sources:
            entries = source.value["datasets"]
            for entry in entries if isinstance(entries, list) else [entries]:
                for key in ("file", "npz"):
                    path = entry.get(key) if isinstance(entry, dict) else None
                    if path and not Path(path).is_absolute():
                        what = "expected an absolute path, the same here and on every node"
                        raise SubmitError(f"{source.name}: {key}: {path}: {what}")
        return files


def prepare(
    names: Sequence[str], results: str | None, select: str | None, changes: Sequence[str] = ()
) -> Job:
    """The job that runs some grids.

    Args:
        names: Packaged grids, or YAML files, of one study.
        results: Folder or URI; by default ``results/<study>`` below the current folder.
        select: Only the trials that meet these conditions.
        changes: Other values in the grids, each as in ``training.steps=1000``.

    Raises:
        ConfigError: If a grid is wrong.
        SelectionError: If the selection is wrong.
        SubmitError: If the grids are of several studies, or the URI has a secret in it.
    """
    loaded = [load_grid(name, changes) for name in names]
    studies = sorted({grid.study for grid, _ in loaded})
    if len(studies) > 1:
        raise SubmitError(f"the grids are of several studies: {', '.join(studies)}")
    select_trials([trial for trial, _ in wanted_trials(grid for grid, _ in loaded)], select)
    results = results or f"results/{studies[0]}"
    if "://" not in results:
        results = str(Path(os.path.expanduser(results)).absolute())
    elif shows_secret(results):
        what = "expected no key or password in the URI: scripts and logs show it"
        raise SubmitError(f"{what}; give it to the machines by their environment")
    packaged = packaged_grids()
    return Job(
        studies[0],
        tuple(name if name in packaged else str(Path(name).absolute()) for name in names),
        tuple(
            source for name, (_, source) in zip(names, loaded, strict=True) if name not in packaged
        ),
        results,
        select,
        tuple(changes),
    )
