"""A display that fails is switched off, and what is shown there goes on."""

import errno
import io
import os
from pathlib import Path
from typing import IO, cast

import pytest

from teasel.sweep.commands.run import run
from teasel.sweep.schedule.display import Display
from teasel.sweep.schedule.in_process import InProcess


class Broken(io.StringIO):
    """A stream that takes some texts, and then no more."""

    def __init__(self, num_texts: int, error: Exception) -> None:
        super().__init__()
        self.left, self.error = num_texts, error

    def write(self, text: str) -> int:
        if not self.left:
            raise self.error
        self.left -= 1
        return super().write(text)


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "full"), BrokenPipeError(), OSError(errno.EIO, "hung up"), ValueError()],
)
def test_a_stream_that_fails_is_switched_off(error: Exception) -> None:
    stream = Broken(1, error)
    display = Display(cast(IO[str], stream))
    for text in ("seen\n", "lost\n", "lost, too\n"):
        print(text, end="", file=cast(IO[str], display), flush=True)
    assert (stream.getvalue(), display.error) == ("seen\n", error)


def test_what_a_full_disk_refuses_is_not_tried_again_at_exit() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    stream = open(full, "w")  # noqa: SIM115
    display = Display(stream)
    display.write("lost")
    display.flush()
    assert isinstance(display.error, OSError)
    stream.close()  # would raise


def test_a_study_is_done_though_nobody_can_see_it(grid_file: Path, tmp_path: Path) -> None:
    stream = Broken(1, OSError(errno.ENOSPC, "full"))
    summary = run(str(grid_file), tmp_path, executor=InProcess(), progress=stream)
    assert (summary.done, summary.failed) == (4, 0)
    assert len(stream.getvalue().splitlines()) == 1
