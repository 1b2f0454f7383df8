"""What a selection may name."""

import pytest

from teasel.settings import Settings
from teasel.sweep.grid.grid import load_grid
from teasel.sweep.grid.select import SelectionError, select


def test_one_trial_is_chosen_by_its_id_and_by_its_number_in_the_paper() -> None:
    trials = load_grid("locatello2019")[0].trials()
    one = trials[1234]
    assert select(trials, f"trial_id={one.trial_id}") == [one]
    assert select(trials, "model_num=1234") == [one]
    assert len(select(trials, "model_num<1800, dataset=dsprites")) == 1800


@pytest.mark.parametrize("name", Settings._fields)
def test_every_training_setting_can_be_named(name: str) -> None:
    trials = load_grid("smoke")[0].trials()
    value = getattr(trials[0].training, name)
    assert trials[0] in select(trials, f"{name}={value}")


def test_a_trial_that_is_none_of_the_papers_has_no_number() -> None:
    trials = load_grid("smoke")[0].trials()
    with pytest.raises(SelectionError, match="no trial meets"):
        select(trials, "model_num>=0")
