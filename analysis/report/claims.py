"""What the report says by itself: which of several numbers is the highest, if seeds can tell."""

from collections.abc import Callable

import numpy as np
from pandas import DataFrame

from ...words import format_count
from ..formats import MINUS, format_number
from ..statistics.contest import Contest
from ..statistics.resampling import MIN_SEEDS
from ..statistics.standing import Distance
from .elements import Element, text

MOST_NAMED = 3
"""Of those that are not told apart; more are counted."""

Label = Callable[[str], str]


def claim(
    contest: Contest,
    lead: str,
    things: str,
    label: Label,
    rival: str = "",
    against: str = "",
    lowest: bool = False,
) -> Element | None:
    """A sentence that names the highest of some numbers; the one that says why it names none.

    All sentences of the page that name a most, a least or a best are made here.

    Args:
        contest: of the numbers, in fractions of one.
        lead: the question, as the beginning of the sentence.
        things: what takes part, in the plural.
        label: what to call one of them.
        rival: the name of what takes part to be beaten, as chance; it is named for no winner.
        against: what to call the rival.
        lowest: whether the lowest is asked for.
    """
    count = sum(name != rival for name in contest.names)
    if count < 2 or (lowest and contest.num_seeds < contest.fewest):
        return None  # that there are too few seeds is said of the highest
    winners = contest.lowest if lowest else contest.highest
    answer = _answer(contest, winners, f"{count} {things}", label, rival, against)
    return text(f"{lead}: {answer}.")


def _answer(
    contest: Contest, winners: list[int], things: str, label: Label, rival: str, against: str
) -> str:
    if contest.num_seeds < contest.fewest:
        return too_few(contest.num_seeds, contest.fewest)
    if any(contest.names[place] == rival for place in winners):
        return f"none of the {things} is told from {against}"
    if len(winners) == sum(name != rival for name in contest.names):
        return f"none of the {things} is told from the others"
    named = [_describe(contest, place, label) for place in winners[:MOST_NAMED]]
    if len(winners) == 1:
        return f"{named[0]}, of {things}"
    if more := len(winners) - len(named):
        named.append(f"{more} more")
    listed = f"{', '.join(named[:-1])} and {named[-1]}"
    return f"{listed}, which are not told apart, of {things}"


def too_few(num_seeds: int, fewest: int) -> str:
    """Why nothing is said."""
    return f"too few seeds to say ({format_count(num_seeds, 'seed')} here, {fewest} needed)"


def _describe(contest: Contest, place: int, label: Label) -> str:
    """A name with its number and interval, in percent."""
    given = [100 * of[place] for of in (contest.values, contest.low, contest.high)]
    digits = int(round(given[1]) == round(given[2]))
    rounded = [round(value, digits) + 0.0 for value in given]  # no minus zero
    number, low, high = (f"{value:.{digits}f}".replace("-", MINUS) for value in rounded)
    return f"{label(contest.names[place])} ({number}, 95 % interval {low} to {high})"


def name_best_setting(contest: Contest, lead: str, sign: int, label: Label) -> Element | None:
    """A sentence that says which setting has the best mean, and if seeds tell it from the others.

    Args:
        contest: of `compare_settings`.
        lead: the question, as the beginning of the sentence.
        sign: -1 where less is better, which makes the contest's numbers negative.
        label: what to call a setting.
    """
    if not contest.names:
        return None
    best = int(contest.values.argmax())
    low, high = sorted(sign * end[best] for end in (contest.low, contest.high))
    name, value = label(contest.names[best]), sign * contest.values[best]
    shown = f"{name} with {format_number(value, (high - low) / 2)}"
    winners, others = len(contest.highest), len(contest.names) - 1
    if contest.num_seeds < contest.fewest:
        few = too_few(contest.num_seeds, contest.fewest)
        return text(f"{lead}: {few}; the best mean here is that of {shown}.")
    low, high = (format_number(end, (high - low) / 2) for end in (low, high))
    shown += f" (95 % interval {low} to {high})"
    if not others:
        return text(f"{lead}: {shown}, the only setting.")
    if winners > others:
        few = f"none of the {len(contest.names)} settings is told from the others"
        return text(f"{lead}: {few}; the best mean is that of {shown}.")
    apart = f"told from all {others} others"
    if winners > 1:
        apart = f"not told from {winners - 1} of {others} others"
    return text(f"{lead}: {shown}, {apart}.")


def tell_distance(distance: Distance, lead: str) -> Element:
    """A sentence about how far trained models are from untrained ones."""
    half = (distance.high - distance.low) / 2
    difference = distance.trained - distance.untrained
    trained, untrained, apart, low, high = (
        format_number(value, half)
        for value in (distance.trained, distance.untrained, abs(difference), *distance[2:4])
    )
    words = f"{lead}: {trained} of trained models and {untrained} of untrained networks"
    if np.isnan(half):
        return text(f"{words}; how sure that is, {too_few(distance.num_seeds, MIN_SEEDS)}.")
    if distance.low <= 0 <= distance.high:
        return text(f"{words}, which are not told apart (95 % interval {low} to {high}).")
    more = "more" if difference > 0 else "less"
    return text(f"{words}, {apart} {more} by training (95 % interval {low} to {high}).")


def tell_changes(lead: str, changes: DataFrame) -> Element | None:
    """A sentence that counts what falls and what rises, as far as seeds can tell.

    Args:
        lead: what may change, as the beginning of the sentence.
        changes: a row each: kind (what it is of), low and high (of the change), num_seeds; NaN
            where there are too few.
    """
    if changes.empty:
        return None
    if changes["low"].isna().all():
        few = too_few(int(changes["num_seeds"].max()), MIN_SEEDS)
        return text(f"{lead}: {few}.")
    parts = []
    for kind, rows in changes.groupby("kind", sort=False):
        falls, rises = (rows["high"] < 0).sum(), (rows["low"] > 0).sum()
        parts.append(f"that of {kind} falls in {falls} and rises in {rises} of {len(rows)}")
    return text(f"{lead}: {'; '.join(parts)}. Of the others it cannot be told.")
