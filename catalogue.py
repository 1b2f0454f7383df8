"""Other packages' entries in the catalogues, found by their entry points."""

from importlib.metadata import entry_points
from typing import Any

from . import TeaselError


def plugins(catalogue: str, taken: dict[str, Any]) -> dict[str, Any]:
    """What installed packages add to a catalogue, by name.

    A package says in its ``pyproject.toml``::

        [project.entry-points."teasel.metrics"]
        my_metric = "my_package.my_module:MY_METRIC"

    Args:
        catalogue: "datasets", "methods" or "metrics".
        taken: The catalogue's own entries, whose names cannot be used again.

    Raises:
        TeaselError: If an entry cannot be imported, or its name is taken.
    """
    found: dict[str, Any] = {}
    for entry in entry_points(group=f"teasel.{catalogue}"):
        where = f"the entry point {entry.name} = {entry.value} in teasel.{catalogue}"
        if entry.name in taken or entry.name in found:
            raise TeaselError(f"{where}: the name {entry.name!r} is taken")
        try:
            found[entry.name] = entry.load()
        except Exception as error:
            raise TeaselError(f"{where} cannot be imported: {error!r}") from error
    return found
