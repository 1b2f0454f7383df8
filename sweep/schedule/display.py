"""What a run prints to: it may fail at any time, and the run must not."""

import contextlib
import os
from collections.abc import Callable
from typing import IO, Any


class Display:
    """A stream that the first error of writing switches off: the work behind it goes on.

    Attributes:
        error: The error, once there was one.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.error: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Writes what can be written."""
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Shows what was written."""
        self._try(self._stream.flush)

    def _try(self, do: Callable[[], object]) -> None:
        if self.error:
            return
        try:
            do()
        except (OSError, ValueError) as error:  # no space, no reader, no terminal; or it is closed
            self.error = error
            with contextlib.suppress(OSError, ValueError):  # else the exit would try it again
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, self._stream.fileno())
                os.close(null)
