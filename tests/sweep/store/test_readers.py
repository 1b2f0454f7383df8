"""Every reader of Parquet reads a folder alike, however far it is folded and whatever joined it."""

import contextlib
import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from teasel.sweep.grid.grid import check_grid
from teasel.sweep.grid.source import read_yaml
from teasel.sweep.store.compact import compact
from teasel.sweep.store.results import Results
from teasel.sweep.store.store import Store, StoreError
from teasel.sweep.store.tables import COLUMNS, ScoreRow, TrialRow
from teasel.sweep.study.freeze import freeze
from teasel.sweep.study.study import read_study

METHODS = ("untrained: {}", "beta_vae: {beta: [1, 4]}", "factor_vae: {gamma: 10}")
VERSION_1 = Path(__file__).parents[2] / "data" / "results_version_1"


def ask(results: Results, *methods: str) -> None:
    """Freezes a grid with these methods."""
    text = "study: s\ndatasets: [dsprites_mini]\nseeds: 2\nmetrics: [mig]\nmethods:\n"
    source = read_yaml(text + "".join(f"  {method}\n" for method in methods), "grid.yaml")
    freeze(results, [(check_grid(source), source)])


def train(results: Results, method: str, attempt: int = 1) -> None:
    """What an attempt at the trials of a method leaves in the tables."""
    for trial, (request, *_) in read_study(results).wanted_trials():
        if trial.method == method:
            name = f"{trial.trial_id}-{attempt}"
            facts: dict[str, Any] = {"attempt": attempt, "status": "done"}
            if trial.training.steps:
                facts |= {"loss": 1.0, "kl_per_latent": [0.5, 0.25]}
            results.add("trials", name, [TrialRow.of(trial, **facts)])
            row = ScoreRow.of(trial, request, "mig", value=trial.seed / 4, attempt=attempt)
            results.add("scores", name, [row])


@pytest.fixture
def loose(tmp_path: Path) -> Results:
    """A folder of a file for each trial, some of them twice."""
    results = Results(tmp_path / "results")
    ask(results, *METHODS)
    for method in ("untrained", "beta_vae", "factor_vae"):
        train(results, method)
    train(results, "beta_vae", attempt=2)
    return results


def half_folded(results: Results) -> None:
    """As a compaction leaves it that is killed among its removals, and a later attempt."""
    with pytest.MonkeyPatch.context() as killed:
        kept = Store.remove
        names = iter(range(3))
        killed.setattr(
            Store, "remove", lambda self, name: kept(self, name) if next(names, None) else die()
        )
        for table in ("trials", "scores"):
            with contextlib.suppress(StoreError):
                compact(results, f"tables/{table}")
    train(results, "untrained", attempt=2)


def die() -> None:
    raise StoreError("killed")


def folded(results: Results) -> None:
    for table in COLUMNS:
        compact(results, f"tables/{table}")


def by_pandas(folder: str) -> list[tuple]:
    trials = pd.read_parquet(f"{folder}/tables/trials").drop_duplicates("trial_id")
    scores = pd.read_parquet(f"{folder}/tables/scores").drop_duplicates(
        ["trial_id", "representation", "metric", "parameters_hash", "metric_seed", "score"]
    )
    return rows_of(trials.merge(scores, on="trial_id"))


def by_pyarrow(folder: str) -> list[tuple]:
    trials = ds.dataset(f"{folder}/tables/trials").to_table().to_pandas()
    scores = pq.read_table(f"{folder}/tables/scores").to_pandas()
    both = trials.drop_duplicates("trial_id").merge(
        scores.drop_duplicates(["trial_id", "metric", "score"]), on="trial_id"
    )
    return rows_of(both)


def by_duckdb(folder: str) -> list[tuple]:
    duckdb = importlib.import_module("duckdb")
    found = duckdb.sql(f"""
        SELECT method, beta, gamma, seed, value
        FROM (SELECT DISTINCT ON (trial_id) * FROM '{folder}/tables/trials/*.parquet')
        JOIN (SELECT DISTINCT ON (trial_id, metric, score) *
              FROM '{folder}/tables/scores/*.parquet') USING (trial_id)
    """)
    return rows_of(pd.DataFrame(found.fetchall(), columns=NAMES))


def by_polars(folder: str) -> list[tuple]:
    pl = importlib.import_module("polars")
    trials = pl.scan_parquet(f"{folder}/tables/trials/*.parquet").unique("trial_id")
    scores = pl.scan_parquet(f"{folder}/tables/scores/*.parquet")
    scores = scores.unique(["trial_id", "metric", "score"])
    both = trials.join(scores, on="trial_id").select(NAMES).collect()
    return rows_of(pd.DataFrame(both.rows(), columns=NAMES))


NAMES = ["method", "beta", "gamma", "seed", "value"]
READERS = {"pandas": by_pandas, "pyarrow": by_pyarrow, "duckdb": by_duckdb, "polars": by_polars}


def rows_of(table: pd.DataFrame) -> list[tuple]:
    rows = table[NAMES].astype(object).where(table[NAMES].notna(), None)
    return sorted(map(tuple, rows.to_numpy()), key=str)


EXPECTED = sorted(
    [
        *(("beta_vae", beta, None, seed, seed / 4) for beta in (1.0, 4.0) for seed in (0, 1)),
        *(("factor_vae", None, 10.0, seed, seed / 4) for seed in (0, 1)),
        *(("untrained", None, None, seed, seed / 4) for seed in (0, 1)),
    ],
    key=str,
)


@pytest.mark.parametrize("fold", [lambda results: None, half_folded, folded])
@pytest.mark.parametrize("reader", READERS)
def test_every_reader_reads_a_folder_alike(
    reader: str, fold: Callable[[Results], None], loose: Results
) -> None:
    pytest.importorskip(reader)
    fold(loose)
    assert READERS[reader](loose.uri) == EXPECTED


def schemas(results: Results, table: str) -> set[str]:
    files = Path(results.uri, "tables", table).glob("*.parquet")
    return {str(pq.read_schema(file).remove_metadata()) for file in files}


@pytest.mark.parametrize("fold", [lambda results: None, half_folded, folded])
def test_every_file_of_a_table_has_all_columns_in_one_order(
    fold: Callable[[Results], None], loose: Results
) -> None:
    fold(loose)
    assert len(schemas(loose, "trials")) == len(schemas(loose, "scores")) == 1
    (file, *_) = Path(loose.uri, "tables", "trials").glob("*.parquet")
    # The methods stand in the catalogue's order, however the grid lists them.
    assert pq.read_schema(file).names == [*COLUMNS["trials"], "beta", "gamma"]


def test_methods_that_join_find_the_older_files_folded_before_their_first(tmp_path: Path) -> None:
    results = Results(tmp_path)
    ask(results, METHODS[1])
    train(results, "beta_vae")
    ask(results, *METHODS)
    assert len(schemas(results, "trials")) == 1
    assert "gamma" in pd.read_parquet(tmp_path / "tables" / "trials").columns
    for method in ("untrained", "factor_vae"):
        train(results, method)
    for reader, read in READERS.items():
        if importlib.util.find_spec(reader):
            assert read(results.uri) == EXPECTED


@pytest.mark.parametrize("step", ["write_table", "write", "remove"])
def test_a_folding_that_is_killed_is_made_again(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = Results(tmp_path)
    ask(results, METHODS[1])
    train(results, "beta_vae")
    before = results.table("trials").drop_columns(["attempt"]).to_pylist()
    with monkeypatch.context() as killed:
        whole, count = getattr(Store, step), iter(range(100))

        def cut(store: Store, *arguments: Any, **options: Any) -> None:
            if next(count) == (2 if step == "write" else 0):  # the study is written
                die()
            whole(store, *arguments, **options)

        killed.setattr(Store, step, cut)
        with pytest.raises(StoreError, match="killed"):
            ask(results, *METHODS)
    seen = results.table("trials").drop_columns(["attempt", "gamma"]).to_pylist()
    assert sorted(seen, key=str) == sorted(before, key=str)
    ask(results, *METHODS)
    assert len(schemas(results, "trials")) == 1
    assert len(pd.read_parquet(tmp_path / "tables" / "trials")) == len(before)


def test_who_writes_while_methods_join_writes_their_columns_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = Results(tmp_path)
    ask(results, METHODS[1])
    whole, joined = Store.write_table, []

    def write_table(store: Store, *arguments: Any, **options: Any) -> None:
        if not joined:  # another driver has folded what it saw before this file is there
            joined.append(True)
            ask(Results(tmp_path), *METHODS)
        whole(store, *arguments, **options)

    monkeypatch.setattr(Store, "write_table", write_table)
    train(results, "beta_vae")
    assert len(schemas(results, "trials")) == 1
    assert "gamma" in results.table("trials").column_names


def test_a_folder_of_version_1_is_one_of_today_to_every_reader_once_it_is_added_to(
    tmp_path: Path,
) -> None:
    results = Results(shutil.copytree(VERSION_1, tmp_path / "old"))
    before = results.table("trials").to_pylist()
    grid = (VERSION_1 / "study.yaml").read_text()
    source = read_yaml(grid.replace("seeds: 2", "seeds: 3"), "grid.yaml")
    freeze(results, [(check_grid(source), source)])
    assert len(schemas(results, "trials")) == 1
    table = pd.read_parquet(tmp_path / "old" / "tables" / "trials").set_index("trial_id")
    for row in before:
        assert table.loc[row["trial_id"], "pack_train_seconds"] == row["pack_train_seconds"]
    assert len(table) == len(before)


def test_what_is_folded_once_is_not_looked_at_again(
    loose: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store, "parquet", lambda *_, **__: pytest.fail("a file is opened"))
    ask(loose, *METHODS)
