"""The output of a run, which may fail at any time without ending the run."""

import contextlib
import os
from collections.abc import Callable
from typing import IO, Any


class Display:
    """A stream that is switched off by its first write error, so that the work can continue.

    Attributes:
        error: The error, if there was one.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.error: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Writes the text, if possible."""
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Flushes the stream, if possible."""
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
