"""docs/grid.md has every key that a grid may have, with its default."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from teasel.models import METHODS
from teasel.sweep.grid.grid import Grid, check_grid
from teasel.sweep.grid.schema import TrainingBlock, as_list
from teasel.sweep.grid.select import select
from teasel.sweep.grid.source import read_yaml
from teasel.sweep.trials.references import REFERENCES

PAGE = (Path(__file__).parents[1] / "docs" / "grid.md").read_text()
TABLE = PAGE.partition("## Every key")[2].partition("\n## ")[0]
ROWS = dict(re.findall(r"^\| `([\w.]+)` \| .*? \| (.*?) \|", TABLE, re.MULTILINE))
CATALOGUES = ("methods", "metrics")
"""Keys whose own keys are names, which the command line lists."""


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from models_in(inner)


def keys(model: type[BaseModel], before: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key below a model; a block stands for its keys, a list of entries for itself too."""
    for name, field in model.model_fields.items():
        blocks = [] if name in CATALOGUES else list(models_in(field.annotation))
        if not blocks or field.annotation is not blocks[0]:
            yield before + name, field
        for block in blocks:
            yield from keys(block, f"{before}{name}.")


KEYS = dict(keys(Grid))


def test_the_table_has_every_key_and_no_other() -> None:
    assert list(ROWS) == list(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_the_default_of_a_key_is_what_the_page_says(key: str) -> None:
    field, said = KEYS[key], ROWS[key]
    if field.is_required():
        assert said == "required"
    elif field.default is None:
        assert said == "none"
    else:
        found = read_yaml(f"default: {said.strip('`')}", "page").value["default"]
        assert as_list(found) == as_list(field.default)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_has_its_hyperparameters_and_the_settings_of_training(name: str) -> None:
    (methods,) = models_in(Grid.model_fields["methods"].annotation)
    (entry,) = models_in(methods.model_fields[name].annotation)
    known = [*TrainingBlock.model_fields, *METHODS[name].parameters]
    assert list(entry.model_fields) == known


def test_the_references_are_named() -> None:
    assert not [name for name in (*REFERENCES, "untrained") if f"`{name}`" not in PAGE]


def test_its_grid_and_its_selection_are_valid(tmp_path: Path) -> None:
    factors = np.stack(np.unravel_index(np.arange(4), (2, 2)), axis=1)
    (tmp_path / "data").mkdir()
    np.savez(
        tmp_path / "data" / "mine.npz", images=np.zeros((4, 64, 64), np.uint8), factors=factors
    )
    text, swept = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    found = check_grid(read_yaml(swept, "rates.yaml")).trials()
    assert len(found) == 3 * 40
    assert len({trial.setting for trial in found}) == 40
    trials = check_grid(read_yaml(text, str(tmp_path / "colour.yaml"))).trials()
    (said,) = re.findall(r"This one has (\d+) trials", PAGE)
    assert len(trials) == int(said) == 2 * 9 * 10 - 10
    (expression,) = re.findall(r"--select '(.*?)'", PAGE)
    assert len(select(trials, expression)) == 2 * 2 * 5
