"""UDR over the models of a results folder."""

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest

from teasel.analysis import trials
from teasel.analysis.statistics.udr import add_udr, udr_scores


class Folder:
    """Five models of one setting, and one of another.

    The five have the same three latents in another order and with other signs.
    """

    study: ClassVar = {"study": "by hand"}

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.latents = rng.normal(size=(15_000, 3))
        self.rows = [("beta_vae", seed) for seed in range(5)] + [("factor_vae", 0)]

    def table(self, name: str) -> pa.Table:
        rows = [
            {
                "trial_id": f"{method}-{seed}",
                "dataset": "dsprites",
                "method": method,
                "seed": seed,
                "status": "done",
                "steps": 1,
                "batch_size": 64,
                "learning_rate": 1e-4,
                "num_latents": 3,
                "beta": 4.0,
                "kl_per_latent": [1.0, 2.0, 3.0],
            }
            for method, seed in self.rows
        ]
        return pa.Table.from_pylist(rows)

    def representation(self, trial_id: str) -> tuple[np.ndarray, ...]:
        seed = int(trial_id.split("-")[1])
        rng = np.random.default_rng(100 + seed)
        means = self.latents[:, rng.permutation(3)] * rng.choice([-1, 1], 3)
        return means, np.zeros_like(means), np.zeros((15_000, 2))


def test_models_that_agree_up_to_order_and_sign_rank_high_and_a_lone_one_has_no_rank() -> None:
    table = udr_scores(Folder()).set_index("trial_id")  # pyright: ignore[reportArgumentType]
    assert table.loc["beta_vae-3", "num_seeds"] == 5
    # A lasso of strength 0.1 on standardised independent codes shrinks the one coefficient to 0.9,
    # and max^2 / sum of a row with one entry is that entry.
    assert table.filter(like="beta_vae", axis=0)["udr"].to_numpy() == pytest.approx(0.9, abs=0.02)
    assert np.isnan(table.loc["factor_vae-0", "udr"])


def test_a_report_ranks_by_udr_unless_that_takes_too_long_or_nothing_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder: Any = Folder()
    table = trials(folder)
    ranked, why = add_udr(folder, table)
    assert (why, ranked["udr"].notna().sum()) == ("", 5)
    assert add_udr(folder, table[table["seed"] < 4])[1] == "no setting has 5 seeds"
    monkeypatch.setattr("teasel.analysis.statistics.udr.MOST_PAIRS", 19)
    assert add_udr(folder, table)[1].startswith("20 pairs of models, too many for a report")
