"""Shares of a study: several drivers do one each, side by side, without a word between them."""

import heapq
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ... import TeaselError
from ..trials.trial import seeds_first
from .costs import cost
from .remaining import Wanted

_MOST_TOGETHER = 64
"""Trials of one program that a share takes at a time: the largest pack that pays."""


class ShareError(TeaselError):
    """A share is not written as it should be; says how."""


@dataclass(frozen=True)
class Share:
    """The `number`-th of `count` shares, from 1."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Share":
        """The share that ``3/10`` stands for.

        Raises:
            ShareError: If the text is not of that form, or there is no such share.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", text)
        if match:
            share = cls(int(match[1]), int(match[2]))
            if 1 <= share.number <= share.count:
                return share
        raise ShareError(f"--share {text}: expected NUMBER/COUNT, as in 3/10, counted from 1")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def of(self, everything: Sequence[Wanted]) -> list[Wanted]:
        """What belongs to this share, in its order."""
        return divide(everything, self.count)[self.number - 1]


def divide(everything: Sequence[Wanted], count: int) -> list[list[Wanted]]:
    """What is wanted, in `count` shares: each trial in one of them.

    Every program is cut into parts that make whole packs, each with all of its settings and early
    as well as late seeds, and the costliest part left goes to the share with the least to do. It
    depends on nothing but what is wanted, so a share that is begun again is the same one.
    """
    most = min(_MOST_TOGETHER, math.ceil(len(everything) / count))
    loads = [(0.0, number) for number in range(count)]
    place: dict[str, int] = {}
    for seconds, _, part in sorted(_parts(everything, most), reverse=True):
        load, number = loads[0]
        heapq.heapreplace(loads, (load + seconds, number))
        place |= dict.fromkeys(part, number)
    shares: list[list[Wanted]] = [[] for _ in range(count)]
    for some in everything:
        shares[place[some.trial.trial_id]].append(some)
    return shares


def _parts(everything: Sequence[Wanted], most: int) -> list[tuple[float, int, list[str]]]:
    """Seconds, place and trial_ids of parts of one program, `most` trials in each at the most."""
    wanted = {some.trial.trial_id: some for some in everything}
    programs: dict[object, list[Wanted]] = {}
    for trial in seeds_first(some.trial for some in everything):
        programs.setdefault(trial.program, []).append(wanted[trial.trial_id])
    parts = []
    for members in programs.values():
        num = math.ceil(len(members) / most)
        for first in range(num):
            part = members[first::num]
            bill = cost(part, (), save_models=False, measured={})
            names = [some.trial.trial_id for some in part]
            parts.append((bill.train_seconds + bill.score_seconds, -len(parts), names))
    return parts
