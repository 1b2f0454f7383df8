"""The faults of docs/reactions.md, and that its tables lack no score."""

from pathlib import Path

import numpy as np
import pytest

from teasel.docs.reactions import FAULTS, LEAST_NOISE, LEVELS, SIZES, Made, metrics
from teasel.metrics import METRICS

PAGE = (Path(__file__).parents[1] / "docs" / "reactions.md").read_text()
RNG = np.random.default_rng(0)
LATENTS = RNG.standard_normal((20_000, 4))


def rows(heading: str) -> dict[str, list[str]]:
    """The cells of a table of the page below a heading, by the first of each row."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in section.splitlines()]
    return {first: rest for first, *rest in (row for row in cells if row)}


def labels() -> set[str]:
    sizes = [f"{classifier} {size}" for classifier in ("LR", "GBT") for size in (10, 100, 10_000)]
    return {label for metric in metrics() for label in metric.labels.values()} - set(sizes)


@pytest.mark.parametrize("heading", ["The numbers", "How to read each score"])
def test_each_score_that_codes_alone_can_have_has_a_row(heading: str) -> None:
    assert set(rows(heading)) - {"score", "---"} == labels()


def test_the_page_says_of_which_scores_less_is_better() -> None:
    # Of the unsupervised scores it depends: they are measures, and METRICS says nothing of them.
    lower = {metric.labels[name] for metric in metrics() for name in metric.lower_is_better}
    lower |= set(METRICS["unsupervised"].labels.values())
    said = {label for label, cells in rows("How to read each score").items() if cells[0] == "less"}
    assert said == lower


@pytest.mark.parametrize("name", FAULTS)
def test_without_a_fault_a_latent_is_a_factor(name: str) -> None:
    codes, factors = Made(FAULTS[name], 0).sample(np.random.default_rng(0), 5_000)
    assert codes.shape == factors.shape == (5_000, len(SIZES))
    assert codes.mean(axis=0) == pytest.approx(0, abs=0.05)
    assert codes.var(axis=0) == pytest.approx(1 + LEAST_NOISE**2, abs=0.05)
    correlations = np.corrcoef(codes.T, factors.T)[:4, 4:]
    assert correlations == pytest.approx(np.eye(4), abs=0.06)


def test_faults_are_what_the_page_says() -> None:
    def at(name: str, level: float) -> np.ndarray:
        return FAULTS[name](LATENTS, level, np.random.default_rng(1))

    variances = np.arange(4) / 3
    for level in LEVELS:
        assert (at("noise", level) - LATENTS).std(axis=0) == pytest.approx(2 * level, rel=0.02)
        blurred = (at("unequal", level) - LATENTS).std(axis=0)
        assert blurred == pytest.approx(2 * level * variances, rel=0.02)
        copies = at("copies", level)
        assert (copies == np.concatenate([LATENTS, LATENTS[:, : int(4 * level)]], axis=1)).all()
        told = np.diag(np.corrcoef(at("missing", level).T, LATENTS.T)[:4, 4:])
        assert told == pytest.approx([0] * int(4 * level) + [1] * int(4 - 4 * level), abs=0.03)
        warped = at("warp", level)
        assert (np.argsort(warped, axis=0) == np.argsort(LATENTS, axis=0)).all()
        turned = at("rotation", level)
        assert (turned**2).sum(axis=1) == pytest.approx((LATENTS**2).sum(axis=1))
        cosine = np.mean(turned * LATENTS, axis=0) / np.mean(LATENTS**2, axis=0)
        assert cosine == pytest.approx(np.cos(level * np.pi / 4), abs=0.03)
