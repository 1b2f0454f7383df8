"""Other packages' entries in the catalogues."""

from importlib.metadata import EntryPoint

import pytest

from teasel import TeaselError, plugins


def offer(monkeypatch: pytest.MonkeyPatch, *entries: tuple[str, str]) -> None:
    points = [EntryPoint(name, value, "teasel.metrics") for name, value in entries]
    monkeypatch.setattr(plugins, "entry_points", lambda group: points)


def test_an_installed_entry_joins_the_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, ("root", "math:sqrt"))
    assert plugins.plugins("metrics", {})["root"](9) == 3


def test_a_taken_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, ("mig", "math:sqrt"))
    with pytest.raises(TeaselError, match="the name 'mig' is taken"):
        plugins.plugins("metrics", {"mig": None})


def test_an_entry_that_cannot_be_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, ("mine", "nowhere_at_all:metric"))
    with pytest.raises(TeaselError, match=r"mine = nowhere_at_all:metric in teasel\.metrics"):
        plugins.plugins("metrics", {})
