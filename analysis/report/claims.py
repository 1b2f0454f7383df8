"""Sentences of the report: which of several numbers is the highest, if seeds can tell."""

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
"""The most indistinguishable names that are listed; the rest are counted."""

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
    """A sentence that names the highest of some numbers, or says why it names none.

    All sentences of the page that name the most, the least or the best are made here.

    Args:
        contest: the contest of the numbers, as fractions.
        lead: the question, as the beginning of the sentence.
        things: the noun for what is compared, in the plural.
        label: gives the label of a name.
        rival: the name to beat, such as chance; it is never named as a winner.
        against: the label of the rival.
        lowest: whether to name the lowest.
    """
    count = sum(name != rival for name in contest.names)
    if count < 2 or (lowest and contest.num_seeds < contest.fewest):
        return None  # the sentence about the highest says that there are too few seeds
    winners = contest.lowest if lowest else contest.highest
    answer = _answer(contest, winners, f"{count} {things}", label, rival, against)
    return text(f"{lead}: {answer}.")


def _answer(
    contest: Contest, winners: list[int], things: str, label: Label, rival: str, against: str
) -> str:
    if contest.num_seeds < contest.fewest:
        return too_few(contest.num_seeds, contest.fewest)
    if any(contest.names[place] == rival for place in winners):
        return f"none of the {things} can be distinguished from {against}"
    if len(winners) == sum(name != rival for name in contest.names):
        return f"none of the {things} can be distinguished from the others"
    named = [_describe(contest, place, label) for place in winners[:MOST_NAMED]]
    if len(winners) == 1:
        return f"{named[0]}, of {things}"
    if more := len(winners) - len(named):
        named.append(f"{more} more")
    listed = f"{', '.join(named[:-1])} and {named[-1]}"
    return f"{listed}, which cannot be distinguished, of {things}"


def too_few(num_seeds: int, fewest: int) -> str:
    """Says that there are too few seeds for an answer."""
    return f"too few seeds to say ({format_count(num_seeds, 'seed')} here, {fewest} needed)"


def _describe(contest: Contest, place: int, label: Label) -> str:
    """A name with its number and interval, in percent."""
    given = [100 * of[place] for of in (contest.values, contest.low, contest.high)]
    digits = int(round(given[1]) == round(given[2]))
    rounded = [round(value, digits) + 0.0 for value in given]  # no minus zero
    number, low, high = (f"{value:.{digits}f}".replace("-", MINUS) for value in rounded)
    return f"{label(contest.names[place])} ({number}, 95 % interval {low} to {high})"


def name_best_setting(contest: Contest, lead: str, sign: int, label: Label) -> Element | None:
    """A sentence that names the setting with the best mean, and says if it differs from others.

    Args:
        contest: the contest from `compare_settings`.
        lead: the question, as the beginning of the sentence.
        sign: -1 if less is better, in which case the contest's numbers are negated.
        label: gives the label of a setting.
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
        few = f"none of the {len(contest.names)} settings can be distinguished from the others"
        return text(f"{lead}: {few}; the best mean is that of {shown}.")
    apart = f"distinguished from all {others} others"
    if winners > 1:
        apart = f"not distinguished from {winners - 1} of {others} others"
    return text(f"{lead}: {shown}, {apart}.")


def tell_distance(distance: Distance, lead: str) -> Element:
    """A sentence about how far trained models are from untrained ones."""
    half = (distance.high - distance.low) / 2
    difference = distance.trained - distance.untrained
    trained, untrained, apart, low, high = (
        format_number(value, half)
        for value in (distance.trained, distance.untrained, abs(difference), *distance[2:4])
    )
    words = f"{lead}: {trained} for trained models and {untrained} for untrained networks"
    if np.isnan(half):
        return text(f"{words}. How certain that is: {too_few(distance.num_seeds, MIN_SEEDS)}.")
    if distance.low <= 0 <= distance.high:
        return text(f"{words}, which cannot be distinguished (95 % interval {low} to {high}).")
    more = "more" if difference > 0 else "less"
    return text(f"{words}, {apart} {more} after training (95 % interval {low} to {high}).")


def tell_changes(lead: str, changes: DataFrame) -> Element | None:
    """A sentence that counts decreases and increases, as far as seeds can tell.

    Args:
        lead: what may change, as the beginning of the sentence.
        changes: a row per change: kind, low and high (its interval), num_seeds; NaN if there are
            too few seeds.
    """
    if changes.empty:
        return None
    if changes["low"].isna().all():
        few = too_few(int(changes["num_seeds"].max()), MIN_SEEDS)
        return text(f"{lead}: {few}.")
    parts = []
    for kind, rows in changes.groupby("kind", sort=False):
        falls, rises = (rows["high"] < 0).sum(), (rows["low"] > 0).sum()
        parts.append(f"for {kind} it falls in {falls} and rises in {rises} of {len(rows)}")
    return text(f"{lead}: {'; '.join(parts)}. For the rest, the seeds do not tell.")
