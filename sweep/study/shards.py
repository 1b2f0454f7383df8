"""The name of a shard of a study, as in 3/10."""

import re
from dataclasses import dataclass

from ...errors import TeaselError


class ShardError(TeaselError):
    """A shard is not written as it should be; says how."""


@dataclass(frozen=True)
class Shard:
    """The `number`-th of `count` shards, from 1."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """The shard that ``3/10`` stands for.

        Raises:
            ShardError: If the text is not of that form, or there is no such shard.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", text)
        if match:
            shard = cls(int(match[1]), int(match[2]))
            if 1 <= shard.number <= shard.count:
                return shard
        raise ShardError(f"--shard {text}: expected NUMBER/COUNT, as in 3/10, counted from 1")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"
