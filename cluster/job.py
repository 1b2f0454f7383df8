"""A study that was checked here and is to run on a cluster."""

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
    """A study cannot be submitted; says why."""


class Job(NamedTuple):
    """A run of some grids.

    Attributes:
        study: The study's name.
        grids: Names of packaged grids, and absolute paths of files.
        sources: Those files.
        results: The URI or absolute path of the results folder.
        select: The selection, if there is one.
        changes: Values that differ from those in the files, each as in ``training.steps=1000``.
    """

    study: str
    grids: tuple[str, ...]
    sources: tuple[Source, ...]
    results: str
    select: str | None
    changes: tuple[str, ...] = ()

    def arguments(self, folder: str | None = None) -> list[str]:
        """The arguments with which `teasel` does this job.

        Args:
            folder: The folder that will hold `files_to_ship`; by default the grids stay in place.
        """
        grids = list(self.grids)
        if folder is not None:
            grids = [f"{folder}/{Path(g).name}" if Path(g).is_absolute() else g for g in grids]
        selection = ["--select", self.select] if self.select else []
        changes = [word for change in self.changes for word in ("--set", change)]
        return ["run", *grids, "--results", self.results, *selection, *changes]

    def files_to_ship(self) -> dict[str, str]:
        """The texts of the grids that are files, by file name. The job carries them along.

        Raises:
            SubmitError: If two have the same name, or one gives a data file by a relative path.
        """
        files: dict[str, str] = {}
        for source in self.sources:
            name = Path(source.name).name
            if name in files:
                raise SubmitError(f"two of the grids have the file name {name}: rename one")
            files[name] = source.text
        for source in self.sources:
            entries = source.value["datasets"]
            for entry in entries if isinstance(entries, list) else [entries]:
                for key in ("file", "npz"):
                    path = entry.get(key) if isinstance(entry, dict) else None
                    if path and not Path(path).is_absolute():
                        what = "expected an absolute path that is the same here and on every node"
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
        SubmitError: If the grids belong to several studies, or the URI contains a secret.
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
        what = "expected no key or password in the URI of the results: scripts and logs show it"
        raise SubmitError(f"{what}; set it in the environment of the machines")
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
