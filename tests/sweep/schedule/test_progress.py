"""What a run shows: a panel on a terminal, plain lines elsewhere."""

import io

from teasel.sweep.schedule.progress import Progress, Snapshot


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
    line = progress.line(RUNNING._replace(progress=8.0))
    assert "72 an hour" in line
    assert "1 min 40 s left" in line
