"""The command line: exit codes, one clear message, nothing heavy loaded too early."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from teasel.__main__ import COMMANDS, main


def test_a_bad_grid_is_exit_code_2_with_all_faults_and_nothing_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = tmp_path / "bad.yaml"
    grid.write_text("study: s\ndatasets: dsprits\nseeds: 1\nmethods: {beta_vae: {beta: x}}\n")
    results = tmp_path / "results"
    assert main(["run", str(grid), "--results", str(results)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[1] for line in lines] == ["2", "4"]
    assert "did you mean 'dsprites'?" in lines[0]
    assert not results.exists()


@pytest.mark.parametrize(
    "command", ["status", "failures", "report", "compact", "verify", "top --metric mig"]
)
def test_a_folder_without_results_is_exit_code_2(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command.split(), str(tmp_path)]) == 2
    assert "no results here" in capsys.readouterr().err


def test_bad_usage_is_exit_code_2() -> None:
    with pytest.raises(SystemExit) as caught:
        main(["rum", "quickstart"])
    assert caught.value.code == 2


def test_keeping_on_and_stopping_at_the_first_failure_exclude_each_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["run", "quickstart", "--keep-going", "--fail-fast"])
    assert caught.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("run quickstart --grace nan", "argument --grace: expected 0 or more, got nan"),
        ("run quickstart --grace -1", "argument --grace: expected 0 or more, got -1"),
        ("top results --metric mig --num -1", "argument --num: expected 1 or more, got -1"),
        ("top results --metric mig --num ten", "argument --num: expected 1 or more, got ten"),
    ],
)
def test_a_number_that_makes_no_sense_is_exit_code_2(
    command: str, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(command.split())
    assert caught.value.code == 2
    assert what in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--share 3/10", "--share=3/10"])
def test_an_option_that_was_renamed_is_answered_with_its_name_of_today(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "quickstart", *option.split()]) == 2
    assert capsys.readouterr().err == "--share is now called --shard\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_of_its_own(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert f"usage: teasel {command}" in capsys.readouterr().out


def test_there_are_few_commands() -> None:
    assert len(COMMANDS) <= 18


def test_messages_are_shown_by_the_command_line_and_not_by_the_library(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger("teasel")

    def speak(arguments: object) -> int:
        logger.info("all is %s", "well")
        logger.warning("nearly")
        return 0

    monkeypatch.setattr("teasel.sweep.commands.status.main", speak)
    speak(None)
    assert capsys.readouterr() == ("", "")
    for _ in range(2):
        assert main(["status", "nowhere"]) == 0
        assert capsys.readouterr() == ("all is well\n", "warning: nearly\n")


def test_methods_are_listed_with_bounds_and_defaults_and_so_are_references(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["methods"]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = next(at for at, line in enumerate(lines) if line.startswith("annealed_vae: The method"))
    assert lines[at + 1 : at + 4] == [
        "  c_max: a finite number of at least 0",
        "  gamma: a finite number of at least 0; by default 1000",
        "  iteration_threshold: a finite number above 0; by default 100000",
    ]
    assert "pca (reference): Principal components of the pixels" in lines


def test_plan_says_what_a_grid_stands_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "quickstart"]) == 0
    output = capsys.readouterr().out
    assert "6 trials, 3 settings" in output
    assert "by method: beta_vae 4, untrained 2" in output
    assert "2 programs to compile" in output


def test_plan_takes_a_selection(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "quickstart", "--select", "method=beta_vae, seed<1"]) == 0
    assert "2 trials, 2 settings" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("methd=beta_vae", "no trial has 'methd'; there are"),
        ("seed", "expected NAME=VALUE"),
        ("seed<x", "'x' is compared with a number"),
        ("seed>99", "no trial is left"),
    ],
)
def test_a_bad_selection_is_exit_code_2(
    expression: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "quickstart", "--select", expression]) == 2
    assert message in capsys.readouterr().err


def test_planning_the_study_starts_no_backend_and_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from teasel.__main__ import main\n"
        "assert main(['plan', 'locatello2019']) in (0, 2)\n"  # 2: a data set's files are not here
        "heavy = {'ray', 'pandas', 'sklearn', 'tensorflow_datasets', 'numba', 'matplotlib'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "from jax._src import xla_bridge\n"
        "assert not xla_bridge._backends\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "12,600 trials, 252 settings" in run.stdout
    assert "by data set: dsprites 1,800, color_dsprites 1,800" in run.stdout


@pytest.mark.parametrize("command", ["status", "failures", "compact", "verify"])
def test_reading_a_folder_imports_no_catalogue(command: str) -> None:
    code = (
        "import sys\n"
        "from teasel.__main__ import main\n"
        f"assert main([{command!r}, 'nowhere']) == 2\n"
        "heavy = {'jax', 'ray', 'pandas', 'sklearn', 'pydantic', 'numba', 'matplotlib'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
