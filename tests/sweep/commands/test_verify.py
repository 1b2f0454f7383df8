"""What is wrong with a results folder is found, said, and mended by the same run."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from teasel.__main__ import main
from teasel.sweep.commands import checks
from teasel.sweep.commands.checks import verify
from teasel.sweep.commands.run import run
from teasel.sweep.schedule.in_process import InProcess
from teasel.sweep.store.compact import compact
from teasel.sweep.store.files import Files
from teasel.sweep.store.results import Results
from teasel.sweep.store.store import Store
from teasel.tests.support.commands import call


@pytest.fixture
def results(results_copy: Results) -> Results:
    return results_copy


def kinds(results: Results) -> dict[str, int]:
    return {kind: len(lines) for kind, lines in verify(results).lines.items()}


def files(results: Results, folder: str) -> list[Path]:
    return sorted(Path(results.uri, folder).glob("[!.f]*.*"))


def rewrite(file: Path, column: str, change: Callable[[pa.Table], pa.ChunkedArray]) -> None:
    table = pq.read_table(file)
    changed = table.set_column(table.column_names.index(column), column, change(table))
    pq.write_table(changed, file)


def test_a_sound_folder_is_clean(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", results.uri]) == 0
    assert "clean; 4 trials done" in capsys.readouterr().out
    call("compact", results.uri)
    assert main(["verify", results.uri]) == 0


@pytest.mark.parametrize("folder", ["tables/scores", "tables/trials"])
def test_a_folder_that_is_folded_while_it_is_read_is_clean(
    folder: str, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed, folded = checks.list_files, []

    def folded_after(store: Store, name: str) -> Files:
        found = listed(store, name)
        if name == folder and len(folded) < 2:
            folded.append(name)
            shutil.copy(
                Path(results.uri, found.files[0]), Path(results.uri, folder, "again.parquet")
            )
            compact(results, folder)
        return found

    monkeypatch.setattr(checks, "list_files", folded_after)
    assert kinds(results) == {}
    assert len(folded) == 2


def test_a_half_finished_study_is_clean_and_says_what_is_to_be_done(
    results: Results, grid_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(Path(results.uri, "tables"))
    shutil.rmtree(Path(results.uri, "representations"))
    run([str(grid_file)], results=results.uri, select="seed<1", executor=InProcess())
    files(results, "tables/scores")[0].unlink()
    assert main(["verify", results.uri]) == 0
    assert "not done yet: 2 to train, 1 to score" in capsys.readouterr().out


def halve(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[40] ^= 1
    file.write_bytes(content)


TABLES = ("trials", "scores", "curves", "pictures")
HARMS = [
    pytest.param(folder, harm, id=f"{folder} {what}", marks=[pytest.mark.slow] if slow else [])
    for harm, what, slow_ones in (
        (halve, "cut in half", ["representations/squares"]),
        (Path.unlink, "deleted", ["tables/trials", "models"]),
    )
    for folder in (*(f"tables/{table}" for table in TABLES), "representations/squares", "models")
    for slow in [folder in slow_ones]  # those that train again as another one does
]


@pytest.mark.parametrize(("folder", "harm"), HARMS)
def test_a_part_is_found_and_the_same_run_makes_it_again(
    finished: Results,
    results: Results,
    grid_file: Path,
    folder: str,
    harm: Callable[[Path], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = files(results, folder)[0]
    harm(file)
    deleted_scores = folder == "tables/scores" and not file.exists()  # as if not yet made
    assert main(["verify", results.uri]) == (0 if deleted_scores else 1)
    said = capsys.readouterr().out
    assert deleted_scores or file.exists() == (f"  {folder}/{file.name}" in said)
    main(["verify", results.uri, "--quarantine"])
    run([str(grid_file)], results=results.uri, executor=InProcess())
    call("compact", results.uri)  # trained again, a trial's curve and pictures stand twice
    left = kinds(results)
    only_shown = folder in ("tables/curves", "tables/pictures")
    assert left.keys() == ({"pictures or curves gone"} if only_shown else set())
    for name in ("trials", "scores"):
        assert numbers(results, name) == numbers(finished, name)
    for trial_id in results.statuses():
        np.testing.assert_array_equal(
            results.representation(trial_id)[0], finished.representation(trial_id)[0]
        )


def numbers(results: Results, table: str) -> list[str]:
    columns = {"trials": ["trial_id", "loss", "kl"], "scores": ["trial_id", "metric", "value"]}
    return sorted(map(str, results.table(table).select(columns[table]).to_pylist()))


def test_a_compacted_file_that_is_gone_is_missed_and_forgotten(
    results: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    call("compact", results.uri)
    (file,) = Path(results.uri, "tables/scores").glob("compact-*.parquet")
    file.unlink()
    assert main(["verify", results.uri]) == 1
    assert f"tables/scores/{file.name}: the file is missing" in capsys.readouterr().out
    assert main(["verify", results.uri, "--quarantine"]) == 0
    assert "not done yet: 0 to train, 4 to score" in capsys.readouterr().out


@pytest.mark.parametrize(
    "content", [b"\xff" * 64, b"\x00" * 7 + b"\x70" + b"x" * 64, b"\x02" + bytes(7) + b"[]"]
)
def test_parameters_that_are_garbage_are_damaged(results: Results, content: bytes) -> None:
    files(results, "models")[0].write_bytes(content)
    assert kinds(results) == {"damaged": 1, "gone": 2}


def test_a_flipped_bit_is_found(results: Results) -> None:
    flip_a_bit(files(results, "representations/squares")[0])
    assert kinds(results)["damaged"] == 1


@pytest.mark.parametrize("command", ["status", "report", "run", "compact"])
def test_a_damaged_part_is_one_line_that_says_what_to_do(
    results: Results, grid_file: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = files(results, "tables/trials")[0]
    halve(file)
    folder = [str(grid_file), "--results"] if command == "run" else []
    assert main([command, *folder, results.uri]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"cannot read {file}" in said
    assert "`teasel verify" in said


def test_rows_written_twice_are_told_from_rows_that_disagree(
    results: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = files(results, "tables/scores")[:2]
    shutil.copy(first, first.with_name("again.parquet"))
    shutil.copy(second, second.with_name("other.parquet"))
    rewrite(second.with_name("other.parquet"), "value", lambda table: pc.add(table["value"], 0.5))
    assert main(["verify", results.uri]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "  tables/scores: 8" in lines  # two parts of two metrics on two representations
    assert sum(" is " in line and "tables/scores" in line for line in lines) == 4
    call("compact", results.uri)
    assert kinds(results) == {}


def test_no_numbers_are_found(results: Results) -> None:
    nothing = lambda table: pa.chunked_array([[float("nan")] * len(table)])  # noqa: E731
    rewrite(files(results, "tables/trials")[0], "kl", nothing)
    rewrite(files(results, "tables/scores")[0], "value", nothing)
    file = files(results, "representations/squares")[0]
    rows = pq.read_table(file)
    mean = pa.FixedSizeListArray.from_arrays(np.full(3 * len(rows), np.nan, np.float32), 3)
    pq.write_table(rows.set_column(1, "mean", mean), file, row_group_size=15_000)
    lines = verify(results).lines["no number"]
    assert [sum(word in line for line in lines) for word in (": kl", ": value", "codes")] == [
        2,
        4,
        2,
    ]


def test_nothing_is_put_aside_while_a_driver_is_at_work(
    results: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    from teasel.sweep.schedule.drivers import at_work

    halve(files(results, "tables/trials")[0])
    with at_work(results, "other"):
        # Its process is this one, which can only be a driver's of an earlier start; not so here.
        patch = pytest.MonkeyPatch()
        patch.setattr("os.getpid", lambda: 1)
        assert main(["verify", results.uri, "--quarantine"]) == 2
        patch.undo()
    assert "a driver is at work here" in capsys.readouterr().err
