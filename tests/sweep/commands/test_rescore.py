from pathlib import Path

import numpy as np
import pytest
from pandas import DataFrame

from teasel.analysis import scores
from teasel.metrics import udr
from teasel.sweep.commands.rescore import rescore
from teasel.sweep.commands.run import run
from teasel.sweep.schedule.in_process import InProcess
from teasel.sweep.store.results import Results


def grown(grid_file: Path, num_seeds: int, folder: Path) -> DataFrame:
    """UDR by seed of a folder of one setting, once it has so many seeds."""
    text = grid_file.read_text().replace("beta: [1, 4]", "beta: 4")
    text = text.replace("seeds: 2", f"seeds: {num_seeds}").replace("pack: 2", "pack: 8")
    grid = grid_file.with_name(f"grown_{num_seeds}.yaml")
    grid.write_text(text)
    run([str(grid)], results=str(folder), executor=InProcess())
    summary = rescore(folder, ["udr"], executor=InProcess())
    assert summary.failed == 0
    return scores(folder, wide=True).set_index("seed")


def by_hand(folder: Results, seed: int, partners: list[int], trial_of: dict[int, str]) -> float:
    kl_of = {
        row["trial_id"]: np.array(row["kl_per_latent"])
        for row in folder.table("trials", ["kl_per_latent"]).to_pylist()
    }
    trials = [trial_of[number] for number in (seed, *partners)]
    codes = [folder.representation(trial)[0][:1000] for trial in trials]
    pairs = [
        udr([codes[0], other], [kl_of[trials[0]], kl_of[trial]])[0]
        for other, trial in zip(codes[1:], trials[1:], strict=True)
    ]
    return float(np.median(pairs))


@pytest.mark.slow
def test_rescore_makes_scores_that_name_their_partners_and_more_seeds_make_the_first_anew(
    grid_file: Path, tmp_path: Path
) -> None:
    folder = Results(tmp_path / "results")
    five = grown(grid_file, 5, tmp_path / "results")
    trial_of = five["trial_id"].to_dict()
    assert five["udr"].notna().all()
    for seed in range(5):
        others = [other for other in range(5) if other != seed]
        assert five["udr"][seed] == pytest.approx(by_hand(folder, seed, others, trial_of))
    seven = grown(grid_file, 7, tmp_path / "results")
    trial_of = seven["trial_id"].to_dict()
    # Of the first five there are rows with four partners and with five: the latter are shown.
    rows = [row for row in folder.table("scores").to_pylist() if row["metric"] == "udr"]
    assert len(rows) == 5 + 7
    assert seven["udr"][0] == pytest.approx(by_hand(folder, 0, [1, 2, 3, 4, 5], trial_of))
    assert seven["udr"][6] == pytest.approx(by_hand(folder, 6, [1, 2, 3, 4, 5], trial_of))
    assert "udr" not in seven["other_parameters"].iloc[0]
    assert rescore(tmp_path / "results", ["udr"], executor=InProcess()).failed == 0
    assert len([row for row in folder.table("scores").to_pylist() if row["metric"] == "udr"]) == 12


def test_a_comparison_with_too_few_seeds_says_so(
    results_copy: Results, caplog: pytest.LogCaptureFixture
) -> None:
    assert rescore(results_copy.uri, ["udr"], executor=InProcess()).failed == 0
    assert caplog.messages[0] == (
        "udr: not computed for 4 models of 4: it compares at least 5 trained seeds of a setting"
    )
