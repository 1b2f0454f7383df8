"""Folding files: nothing lost, nothing doubled, wherever it is cut short."""

import contextlib
import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from teasel.sweep.store import compact as compaction
from teasel.sweep.store import files
from teasel.sweep.store.compact import SMALL_TABLES, choose, compact, fold_small
from teasel.sweep.store.results import Results
from teasel.sweep.store.store import Store, StoreError
from teasel.sweep.store.tables import ScoreRow, TrialRow
from teasel.sweep.trials.request import RequestKey
from teasel.tests.support.commands import call

NUM_TRIALS = 7


def codes_of(trial: int) -> tuple[str, np.ndarray, np.ndarray]:
    mean = np.random.default_rng(trial).normal(size=(20, 3)).astype(np.float32)
    return f"{trial:016x}", mean, -mean


def add_trials(results: Results, attempt_id: str, trials: range) -> None:
    """What an attempt at some trials leaves behind, scores and all."""
    results.add_codes("d", attempt_id, [codes_of(trial) for trial in trials])
    rows = [
        TrialRow(
            f"{trial:016x}",
            dataset="d",
            attempt_id=attempt_id,
            status="done",
            hyperparameters={"beta" if trial % 2 else "gamma": float(trial)},
        )
        for trial in trials
    ]
    results.add("trials", attempt_id, rows)
    for trial in trials:
        key = RequestKey("mean", "mig", "h", 0)
        row = ScoreRow(f"{trial:016x}", score="mig", value=trial / 10, **key._asdict())
        results.add("scores", f"{trial:016x}-{attempt_id}", [row])


@pytest.fixture
def results(tmp_path: Path) -> Results:
    results = Results(tmp_path)
    results.write_study({"study": "s"}, "")
    results.add_points("d", np.arange(20), np.zeros((20, 2), np.int64))
    for first in range(0, NUM_TRIALS, 2):
        add_trials(results, f"{first}-train-1", range(first, min(first + 2, NUM_TRIALS)))
    add_trials(results, "0-train-2", range(2))  # twice, by a driver that was thought dead
    return results


def content(results: Results) -> dict:
    """All that readers see."""
    fresh = Results(results.uri)
    seen: dict = {
        table: sorted(map(str, fresh.table(table).to_pylist()))
        for table in ("trials", "scores", "failures")
    }
    seen["scored"] = fresh.scored_requests()
    for trial in range(NUM_TRIALS):
        trial_id, mean, log_variance = codes_of(trial)
        found = fresh.representation(trial_id)
        np.testing.assert_array_equal(found[0], mean)
        np.testing.assert_array_equal(found[1], log_variance)
    return seen


def rows_on_disk(results: Results, folder: str) -> int:
    """What somebody sees who reads ``folder/*.parquet``."""
    files = [*Path(results.uri, folder).glob("*.parquet")]
    return sum(pq.ParquetFile(file).metadata.num_rows for file in files if file.stem != "factors")


def test_files_are_few_and_rows_stand_once_afterwards(
    results: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content(results)
    call("compact", results.uri)
    assert content(results) == before
    for folder in ("tables/trials", "tables/scores"):
        assert rows_on_disk(results, folder) == NUM_TRIALS
        assert len(results.store.files(folder, ".parquet")) == 1
    assert rows_on_disk(results, "representations/d") == NUM_TRIALS * 20
    assert "tables/scores: 9 files, 1 now" in capsys.readouterr().out


def test_a_second_time_changes_nothing(results: Results) -> None:
    call("compact", results.uri)
    before = {path: path.stat().st_mtime_ns for path in Path(results.uri).rglob("*.*")}
    call("compact", results.uri)
    assert before == {path: path.stat().st_mtime_ns for path in Path(results.uri).rglob("*.*")}


def test_a_row_group_of_codes_is_still_one_trial(results: Results) -> None:
    call("compact", results.uri)
    (file,) = Path(results.uri, "representations/d").glob("compact-*.parquet")
    metadata = pq.ParquetFile(file).metadata
    assert metadata.num_row_groups == NUM_TRIALS
    mean = metadata.row_group(0).column(1)
    assert (mean.path_in_schema, mean.compression) == ("mean.list.element", "ZSTD")
    assert "BYTE_STREAM_SPLIT" in mean.encodings


def test_what_comes_later_is_folded_into_what_is_there(results: Results) -> None:
    call("compact", results.uri)
    add_trials(results, "later", range(NUM_TRIALS, NUM_TRIALS + 2))
    add_trials(results, "again", range(3))
    before = content(results)
    assert len(before["trials"]) == NUM_TRIALS + 2
    call("compact", results.uri)
    assert content(results) == before
    assert rows_on_disk(results, "tables/scores") == NUM_TRIALS + 2
    assert len(results.store.files("tables/scores", ".parquet")) == 1


def test_a_full_file_is_not_written_again(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "FULL_BYTES", 1)
    call("compact", results.uri)
    full = results.store.files("tables/scores", ".parquet")
    add_trials(results, "later", range(5, NUM_TRIALS + 2))  # some of them for the second time
    before = content(results)
    call("compact", results.uri)
    assert content(results) == before
    assert set(full) < set(results.store.files("tables/scores", ".parquet"))
    assert rows_on_disk(results, "tables/scores") == NUM_TRIALS + 2


def test_files_are_no_larger_than_they_should_be(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "_FILE_BYTES", 1000)
    before = content(results)
    call("compact", results.uri)
    assert content(results) == before
    assert len(results.store.files("representations/d", ".parquet")) > 2


def test_codes_of_trials_without_a_row_stay_where_they_are(results: Results) -> None:
    results.add_codes("d", "running", [codes_of(NUM_TRIALS)])
    call("compact", results.uri)
    assert "representations/d/running.parquet" in results.store.files("representations/d")
    results.add(
        "trials", "running", [TrialRow(codes_of(NUM_TRIALS)[0], dataset="d", attempt_id="running")]
    )
    np.testing.assert_array_equal(
        results.representation(codes_of(NUM_TRIALS)[0])[0], codes_of(NUM_TRIALS)[1]
    )
    call("compact", results.uri)
    assert "representations/d/running.parquet" not in results.store.files("representations/d")


def mortal(change: Callable, countdown: list[int], after: bool) -> Callable:
    """A change of the store that kills whoever makes the n-th one, before it or after."""

    def changed(self: Store, *arguments: object) -> None:
        countdown[0] -= 1
        if countdown[0] == 0 and not after:
            raise KeyboardInterrupt
        change(self, *arguments)
        if countdown[0] == 0:
            raise KeyboardInterrupt

    return changed


def fold_few(results: Results, may: Callable[[str], bool]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compaction, "FEWEST", 2)
        fold_small(results, "run", may)


def fold_scores(results: Results) -> None:
    """As a driver folds as it goes, however few files there are."""
    fold_few(results, lambda file: True)


def compact_scores(results: Results) -> None:
    compact(results, "tables/scores")


@pytest.fixture
def copies(results: Results, tmp_path: Path) -> Iterator[Results]:
    """The results again and again, each time in a folder of their own."""
    return (
        Results(shutil.copytree(results.uri, tmp_path.with_name(f"{tmp_path.name}-{number}")))
        for number in itertools.count()
    )


@pytest.mark.parametrize(
    ("folder", "after"),
    [
        ("tables/trials", False),
        ("tables/scores", True),
        ("representations/d", False),
        pytest.param("tables/trials", True, marks=pytest.mark.slow),
        pytest.param("tables/scores", False, marks=pytest.mark.slow),
        pytest.param("representations/d", True, marks=pytest.mark.slow),
    ],
)
def test_killed_at_any_write_it_loses_nothing_and_doubles_nothing(
    results: Results, copies: Iterator[Results], folder: str, after: bool
) -> None:
    before = content(results)
    for number in itertools.count(1):
        copy = next(copies)
        countdown = [number]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Store, "write", mortal(Store.write, countdown, after))
            patch.setattr(Store, "remove", mortal(Store.remove, countdown, after))
            with contextlib.suppress(KeyboardInterrupt):
                compact(copy, folder)
        assert content(copy) == before
        compact(copy, folder)
        assert content(copy) == before
        assert len(compaction.list_files(copy.store, folder).files) == 1
        if countdown[0] > 0:
            break
    assert number > 5


@pytest.mark.parametrize("folder", ["tables/scores", "representations/d"])
def test_two_at_once_lose_nothing(results: Results, copies: Iterator[Results], folder: str) -> None:
    before = content(results)
    for number in range(1, 5):
        copy = next(copies)
        write, countdown = Store.write, [number]

        def write_while_another_folds(self: Store, name: str, data: bytes) -> None:
            countdown[0] -= 1  # noqa: B023 - called in this turn only
            if countdown[0] in (0, 1):  # noqa: B023
                compact(Results(self.uri), folder)
            write(self, name, data)  # noqa: B023

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Store, "write", write_while_another_folds)
            compact(copy, folder)
        assert content(copy) == before
        add_trials(copy, "more", range(2))
        compact(copy, folder)
        assert content(copy) == before


@pytest.mark.parametrize("after", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_driver_that_is_killed_while_it_folds_loses_nothing_and_the_next_goes_on(
    results: Results, copies: Iterator[Results], after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_AT_ONCE", 1)  # so that removals come one by one
    before = content(results)
    for number in itertools.count(1):
        copy = next(copies)
        countdown = [number]
        with monkeypatch.context() as patch:
            patch.setattr(Store, "write", mortal(Store.write, countdown, after))
            patch.setattr(Store, "remove", mortal(Store.remove, countdown, after))
            with contextlib.suppress(KeyboardInterrupt):
                fold_scores(copy)
        assert content(copy) == before
        for table in SMALL_TABLES:
            compact(copy, f"tables/{table}")
        assert content(copy) == before
        assert rows_on_disk(copy, "tables/scores") == rows_on_disk(copy, "tables/trials") == 7
        if countdown[0] > 0:
            break
    assert number == 2 + 9 + 5 + 1  # two files of nine and of five, and one more that is never met


def test_each_row_is_written_anew_a_few_times_only() -> None:
    sizes: dict[str, int] = {}
    written, most = 0, 0
    for number in range(12_600):
        sizes[f"{number:05}-train"] = 3000
        if number % 20 == 19 and (chosen := choose(sizes, 64)):
            total = sum(sizes.pop(file) for file in chosen)
            sizes[f"compact-{number}"] = total
            written += total
        most = max(most, len(sizes))
    assert most < 64 + 20 + 12_600 * 3000 / compaction._LARGE_BYTES + 6
    assert written < 6 * 12_600 * 3000  # log2 of 4 MiB to 64 files


def test_what_a_running_attempt_has_written_stays(results: Results) -> None:
    fold_few(results, lambda file: "2-train-1" not in file)
    assert results.rows_of("trials", "2-train-1")
    assert not results.rows_of("trials", "4-train-1")


def test_a_listing_that_is_torn_by_a_fold_lacks_no_file(results: Results) -> None:
    before = content(results)
    listed, torn = Store.files, []

    def page_by_page(self: Store, folder: str = "", suffix: str = "") -> list[str]:
        """The first page is made before the fold and has the new file's place."""
        found = listed(self, folder, suffix)
        if torn or folder != "tables/scores":
            return found
        torn.append(True)
        page = found[:3]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Store, "files", listed)
            fold_few(results, lambda file: file not in page)
        return page

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "files", page_by_page)
        assert sorted(map(str, results.table("scores").to_pylist())) == before["scores"]
    assert torn


@pytest.mark.parametrize("fold", [compact_scores, fold_scores])
def test_a_reader_that_listed_a_file_before_it_was_folded_looks_again(
    fold: Callable[[Results], None], results: Results
) -> None:
    before = content(results)
    listed = Store.files

    def folded_after_the_listing(self: Store, folder: str = "", suffix: str = "") -> list[str]:
        found = listed(self, folder, suffix)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Store, "files", listed)
            fold(Results(self.uri))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "files", folded_after_the_listing)
        assert sorted(map(str, results.table("scores").to_pylist())) == before["scores"]


def test_an_open_reader_of_codes_finds_them_wherever_they_go(results: Results) -> None:
    trial_id, mean, _ = codes_of(3)
    reader = Results(results.uri)
    np.testing.assert_array_equal(reader.representation(trial_id)[0], mean)
    call("compact", results.uri)
    np.testing.assert_array_equal(reader.representation(trial_id)[0], mean)
    add_trials(results, "later", range(NUM_TRIALS, NUM_TRIALS + 1))
    call("compact", results.uri)
    np.testing.assert_array_equal(reader.representation(trial_id)[0], mean)


@pytest.mark.parametrize("fold", [compact_scores, fold_scores])
def test_parts_that_arrive_while_it_folds_are_left_alone(
    fold: Callable[[Results], None], results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, arrived = Store.write, []

    def write_while_another_writes(self: Store, name: str, content: bytes) -> None:
        write(self, name, content)
        if "compact-" in name and not arrived:
            arrived.append(True)
            add_trials(results, "meanwhile", range(NUM_TRIALS, NUM_TRIALS + 1))

    monkeypatch.setattr(Store, "write", write_while_another_writes)
    fold(results)
    assert len(results.table("scores")) == NUM_TRIALS + 1
    assert any("meanwhile" in name for name in results.store.files("tables/scores"))


def test_a_damaged_part_stops_it_and_nothing_is_removed(results: Results) -> None:
    file = Path(results.uri, results.store.files("tables/scores", ".parquet")[2])
    file.write_bytes(file.read_bytes()[:100])
    before = results.store.files("tables/scores")
    with pytest.raises(StoreError, match=f"cannot read .*{file.name}.*teasel verify"):
        call("compact", results.uri)
    assert results.store.files("tables/scores") == before
