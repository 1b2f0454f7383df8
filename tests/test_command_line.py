"""The command line: exit codes, one clear message, nothing heavy loaded too early."""

import json
import logging
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from teasel.__main__ import COMMANDS, main
from teasel.metrics import METRICS
from teasel.models import LIKELIHOODS, METHODS, NETWORKS, PRIORS
from teasel.sweep.commands.command_line import Report, show_json


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


def test_without_a_command_it_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "usage: teasel" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("rum quickstart", "unknown name 'rum' (did you mean 'run'?)"),
        ("data lst", "unknown name 'lst' (did you mean 'list'?)"),
        ("submit slrum mine.yaml", "unknown name 'slrum' (did you mean 'slurm'?)"),
        ("plan quickstart --device h20", "unknown name 'h20' (did you mean 'h200'?)"),
        ("top here --metric mig --parameters [20]", "such as 'num_bins: 8', got [20]"),
        ("run quickstart --share 3/10", "unknown option '--share' (did you mean '--shard'?)"),
        ("run quickstart --share=3/10", "unknown option '--share' (did you mean '--shard'?)"),
        ("data list --quite", "unknown option '--quite' (did you mean '--quiet'?)"),
        (
            "status here --zzz",
            "unknown option '--zzz' (one of: --quiet, --verbose, --json, --follow)",
        ),
    ],
)
def test_bad_usage_is_exit_code_2_and_the_nearest_name(
    words: str, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words.split())
    assert caught.value.code == 2
    assert what in capsys.readouterr().err


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
        (
            "run quickstart --grace nan",
            "argument --grace: expected a number of at least 0, got nan",
        ),
        ("run quickstart --grace -1", "argument --grace: expected a number of at least 0, got -1"),
        (
            "top results --metric mig --num -1",
            "argument --num: expected a number of at least 1, got -1",
        ),
        (
            "top results --metric mig --num ten",
            "argument --num: expected a number of at least 1, got ten",
        ),
    ],
)
def test_a_number_that_makes_no_sense_is_exit_code_2(
    command: str, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(command.split())
    assert caught.value.code == 2
    assert what in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_of_its_own(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    output = capsys.readouterr().out
    assert f"usage: teasel {command}" in output
    example = f"example: teasel {command} {COMMANDS[command][1]}".rstrip()
    assert " ".join(output.split()).endswith(example)


def test_json_has_null_for_what_is_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"a": [float("nan"), np.float32("inf")], "b": (np.int64(3), True), 4: {0.5}})
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == {
        "a": [None, None],
        "b": [3, True],
        "4": [0.5],
    }


def test_a_report_in_json_is_one_object_and_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    for as_json, said in ((True, '{\n "a": 1,\n "b": 2\n}\n'), (False, "one\n")):
        report = Report(as_json)
        report.add("one", a=0)
        report.add(a=1, b=2)
        report.end()
        assert capsys.readouterr().out == said


def test_a_traceback_is_shown_if_more_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for option, traced in (("--quiet", False), ("--verbose", True)):
        assert main(["status", str(tmp_path), option]) == 2
        assert ("Traceback" in capsys.readouterr().err) == traced


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
    assert main(["status", "nowhere", "--json"]) == 0
    assert capsys.readouterr() == ("", "all is well\nwarning: nearly\n")
    for words in (["status", "nowhere", "--quiet"], ["--quiet", "status", "nowhere"]):
        assert main(words) == 0
        assert capsys.readouterr() == ("", "warning: nearly\n")
    assert main(["status", "nowhere", "--verbose"]) == 0
    assert re.match(r"20\d\d-[\d :,-]+ all is well\n", capsys.readouterr().out)


def test_methods_are_listed_with_bounds_and_defaults_and_so_are_references(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["list", "methods"]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = next(at for at, line in enumerate(lines) if line.startswith("annealed_vae: The method"))
    assert lines[at + 1 : at + 4] == [
        "  c_max: a finite number of at least 0",
        "  gamma: a finite number of at least 0; default 1000",
        "  iteration_threshold: a finite number above 0; default 100000",
    ]
    assert "pca (reference): Principal components of the pixels" in lines


def test_each_kind_of_what_a_grid_may_name_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    catalogues = {"methods": METHODS, "metrics": METRICS, "networks": NETWORKS}
    catalogues |= {"likelihoods": LIKELIHOODS, "priors": PRIORS}
    assert main(["list"]) == 0
    kinds = [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()]
    assert kinds == list(catalogues)
    for kind, catalogue in catalogues.items():
        assert main(["list", kind]) == 0
        lines = capsys.readouterr().out.splitlines()
        listed = [re.split("[: ]", line)[0] for line in lines if not line.startswith(" ")]
        assert listed[: len(catalogue)] == list(catalogue)


def test_a_kind_that_there_is_not_is_answered_with_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["list", "prior"])
    assert "unknown name 'prior' (did you mean 'priors'?)" in capsys.readouterr().err


def test_plan_says_what_a_grid_stands_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "quickstart"]) == 0
    output = capsys.readouterr().out
    assert "6 trials, 3 settings" in output
    assert "by method: beta_tc_vae 4, untrained 2" in output
    assert "2 programs to compile" in output


def test_plan_takes_a_selection(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "quickstart", "--select", "method=beta_tc_vae, seed<1"]) == 0
    assert "2 trials, 2 settings" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("methd=beta_vae", "no trial has 'methd' (did you mean 'method'?)"),
        ("method=beta_va", "no trial has method 'beta_va' (did you mean 'beta_tc_vae'?)"),
        ("trial_id=x", "no trial has trial_id 'x' (one of: "),
        ("seed", "expected NAME=VALUE"),
        ("seed<x", "expected a number, got 'x'"),
        ("seed>99", "no trial meets"),
    ],
)
def test_a_bad_selection_is_exit_code_2(
    expression: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "quickstart", "--select", expression]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("training.stps=5", "unknown key 'stps' (did you mean 'steps'?)"),
        ("trainng.steps=5", "unknown key 'trainng' (did you mean 'training'?)"),
        ("methods.beta_va.beta=5", "unknown method 'beta_va' (did you mean 'beta_vae'?)"),
        ("training.steps=many", "training.steps: input should be a valid integer, got 'many'"),
        (
            "datasets.0=dsprites",
            "datasets is 'dsprites_mini': expected a mapping, or an index into",
        ),
        ("training.steps", "expected KEY=VALUE, such as 'training.steps=1000'"),
        ("seeds=", "expected KEY=VALUE, such as 'training.steps=1000'"),
    ],
)
def test_a_change_that_makes_a_bad_grid_is_exit_code_2(
    change: str, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "quickstart", "--set", change]) == 2
    assert capsys.readouterr().err.startswith(f"--set {change}: {what}")


def test_a_changed_grid_is_planned(capsys: pytest.CaptureFixture[str]) -> None:
    changes = [
        "seeds=3",
        "training.steps=100",
        "methods.beta_tc_vae.beta=[1, 2, 3]",
        "methods.pca={}",
    ]
    words = [word for change in changes for word in ("--set", change)]
    assert main(["plan", "quickstart", *words]) == 0
    assert "by method: beta_tc_vae 9, untrained 3, pca 3" in capsys.readouterr().out


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


def test_an_error_that_nobody_has_foreseen_is_one_line_and_exit_code_4(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fall(results: str) -> None:
        raise ZeroDivisionError("by nothing\nat all")

    monkeypatch.setattr("teasel.sweep.schedule.status.read_study", fall)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert main(["status", str(tmp_path)]) == 4
    (line,) = capsys.readouterr().err.splitlines()
    (log,) = tmp_path.glob("teasel-*.log")
    begin = "ZeroDivisionError: by nothing. This is a bug in Teasel"
    assert line == f"{begin}. Please report it and attach {log}"
    assert "in fall" in log.read_text()


def test_the_help_says_what_the_exit_codes_mean(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    words = " ".join(capsys.readouterr().out.split())
    codes = (
        "0 done, 1 some trials failed, or `verify` has findings, 2 something to fix first, 3 interr"
    )
    assert f"Exit codes: {codes}" in words


@pytest.mark.parametrize(
    ("output", "code", "said"),
    [
        (">/dev/full", 2, "The output cannot be written: [Errno 28] No space left on device\n"),
        ("| true", 0, ""),
        (">&-", 0, ""),
    ],
)
def test_output_that_cannot_be_written_ends_no_command_in_a_traceback(
    output: str, code: int, said: str
) -> None:
    command = (
        "import time, sys; from teasel.__main__ import main; sys.exit(main(['list', 'metrics']))"
    )
    shell = f'set -o pipefail; "$0" -c "{command}" {output}'
    done = subprocess.run(
        ["bash", "-c", shell, sys.executable], stderr=subprocess.PIPE, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (code, said)
