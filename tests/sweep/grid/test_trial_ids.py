"""The names of all packaged trials: they stand in results folders, and must not change."""

import hashlib

import pytest

from teasel.sweep.grid.grid import load_grid, packaged_grids

# From commit 98cc14a, version 1 of the results, and later grids as they came: the number of trials,
# the first id and the last, and the SHA-256 of all of them in order, joined by nothing.
IDS = {
    "locatello2019": (
        12_600,
        "bb26f091961744bd",
        "ca4a468462aa03d0",
        "439b0f8171ee8e3b05c5e7c43d392c628f4327b352dfc947cccaa39fdd70411e",
    ),
    "locatello2019_offline": (
        7_200,
        "bb26f091961744bd",
        "deaf1dd2ea2b3616",
        "80cefad30a54badcfd9ca6dce1a2baec09d869868fad1da8ba858950380a8fdd",
    ),
    "mini": (
        180,
        "4430eb6a2607f22f",
        "cd8da44e0b494047",
        "3403dfc2cad4f0f968c5c106de5a5a901a2350122f5f4752a60c96d251626a26",
    ),
    "quickstart": (
        6,
        "be704a291931a569",
        "260e31c8c837a370",
        "bbf186426ff463e92b51eab42c7f87ee1b2b95ee15fcb605683af8acbd97ba4f",
    ),
    "smoke": (
        7,
        "b0af6a3583a4b4ad",
        "8c4d0e9ab7ff756e",
        "50acbd0eb90cdad48d8efe5e8de2b65cd6b1e0c425f4227c391904a277be01b6",
    ),
    "baselines": (
        24,
        "2f6622fee4bf6acd",
        "d830dcfb5faa1b47",
        "5db4e77e2ca7c48b1062e233e581c5a8b9274f161a7df5f627dd75deba630ff1",
    ),
    "elbo_surgery": (
        18,
        "14461642f25b6d46",
        "5fa7132c6fe8b055",
        "9daf38031e69d7763f40a1642f648fbc7f7f79772344e6e5f502a0b4aec8ec43",
    ),
    "later_models": (
        48,
        "2f6622fee4bf6acd",
        "79f03d9b1c08b285",
        "a6c3bfdbefa23fa7df383c2a52775df9ec1805b19924381d5f81aef835c0ee67",
    ),
}


def test_every_packaged_grid_is_pinned() -> None:
    assert IDS.keys() == packaged_grids().keys()


@pytest.mark.parametrize("name", IDS)
def test_the_trials_of_a_packaged_grid_keep_their_names(name: str) -> None:
    ids = [trial.trial_id for trial in load_grid(name)[0].trials()]
    whole = hashlib.sha256("".join(ids).encode()).hexdigest()
    assert (len(ids), ids[0], ids[-1], whole) == IDS[name]
