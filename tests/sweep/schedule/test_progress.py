"""What a run shows: a panel on a terminal, plain lines elsewhere."""

import io
from pathlib import Path

from teasel.sweep.grid.grid import load_grid
from teasel.sweep.schedule.progress import Progress, Snapshot, describe_saved
from teasel.sweep.store import checkpoints
from teasel.sweep.store.results import Results


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


RUNNING = Snapshot(total=10, done=3, failed=1, training=4, scoring=2, progress=6.0)


def test_without_a_terminal_each_change_is_one_plain_line() -> None:
    stream = io.StringIO()
    with Progress("mine", stream) as progress:
        progress.show(RUNNING)
        progress.show(RUNNING)
        progress.show(RUNNING._replace(done=4))
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("mine: 3/10 done, 4 training, 2 being scored, 1 failed, ")
    assert [line.split(",")[0] for line in lines] == [
        "mine: 3/10 done", "mine: 4/10 done", "mine: 4/10 done",
    ]  # fmt: skip
    assert "\x1b" not in stream.getvalue()


def test_what_is_set_aside_is_named_and_counted() -> None:
    places = ("n1, GPU 3", "n2", "n3", "n4")
    progress = Progress("mine", io.StringIO())
    assert "set aside: n1, GPU 3, " in progress.line(RUNNING._replace(aside=places[:1]))
    assert "set aside: n1, GPU 3 and n2 and 2 more, " in progress.line(
        RUNNING._replace(aside=places)
    )


def test_on_a_terminal_a_panel_is_redrawn() -> None:
    stream = Terminal()
    with Progress("mine", stream) as progress:
        progress.show(RUNNING)
    assert "3/10 done" in stream.getvalue()
    assert "\x1b[" in stream.getvalue()


def test_rate_and_time_left_come_from_what_this_run_has_gained() -> None:
    progress = Progress("mine", io.StringIO())
    progress.show(RUNNING)
    progress._began -= 100.0  # as if begun 100 s ago, with 6 trials there already
    line = progress.line(RUNNING._replace(progress=7.0))  # one is done, two are left, one failed
    assert "36 an hour" in line
    assert "3 min 20 s left" in line


def test_failures_are_no_progress_and_are_not_waited_for() -> None:
    progress = Progress("mine", io.StringIO())
    progress.show(RUNNING._replace(failed=0))
    progress._began -= 100.0
    assert "an hour" not in progress.line(RUNNING._replace(failed=2))
    assert "50 s left" in progress.line(RUNNING._replace(failed=2, progress=7.333333))


def test_a_run_that_ends_says_what_it_saves_and_never_that_it_waits_for_its_own_machine() -> None:
    progress = Progress("mine", io.StringIO())
    leaving = RUNNING._replace(saving=True)
    assert progress.line(leaving).startswith("3/10 done, saving 4 models, 1 failed, ")
    assert "saving 1 model," in progress.line(leaving._replace(training=1))
    idle = RUNNING._replace(training=0, scoring=0)
    assert "waiting" not in progress.line(idle) + progress.line(idle._replace(saving=True))
    assert "waiting for a machine" in progress.line(idle._replace(stranded=True))
    assert "left" not in progress.line(leaving)


def test_many_steps_at_which_models_are_saved_are_told_as_a_span(tmp_path: Path) -> None:
    trials = load_grid("smoke")[0].trials()[:6]
    results = Results(tmp_path)
    assert describe_saved(results, trials) == ""
    of = trials[0].training.steps
    for step, trial in enumerate(trials, start=1):
        checkpoints.save(results, f"pack{step}", step, [trial.trial_id], 1.0, b"")
    assert describe_saved(results, trials[:1]) == f"1 model saved at step 1 of {of}"
    assert describe_saved(results, trials[:3]) == f"3 models saved at steps 1, 2 and 3 of {of}"
    assert describe_saved(results, trials) == f"6 models saved at steps 1 to 6 of {of}"
