"""The name of a shard of a study, such as 3/10."""

import re
from dataclasses import dataclass

from ...errors import TeaselError


class ShardError(TeaselError):
    """A shard is malformed; the message says what is expected."""


@dataclass(frozen=True)
class Shard:
    """The `number`-th of `count` shards, from 1."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """The shard named by a text such as ``3/10``.

        Raises:
            ShardError: If the text is malformed, or there is no such shard.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", text)
        if match:
            shard = cls(int(match[1]), int(match[2]))
            if 1 <= shard.number <= shard.count:
                return shard
        raise ShardError(f"--shard {text}: expected NUMBER/COUNT, such as 3/10, counted from 1")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"
