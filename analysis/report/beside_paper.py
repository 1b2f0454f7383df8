"""The comparison with the paper: elements marked by other sections, gathered in one section."""

import numpy as np
from pandas import DataFrame

from ...words import format_count
from ..formats import DASH, MINUS, format_percent
from ..paper.compare import RULE, compare_with_paper
from ..paper.published import MODELS_PER_DATASET, differences_from_paper, paper_coverage
from ..paper_grid import paper_grid
from . import elements
from .elements import Element
from .parts import MOST_ROWS, Report, plot_matrix, tally_verdicts


def mark(*given: Element) -> list[Element]:
    """The elements, marked to be shown in the comparison instead of where they are made."""
    return [element | {"compares": True} for element in given]


def take_comparisons(section: Element) -> list[Element]:
    """Removes the marked elements from a section, and returns them."""
    taken = [element for element in section["elements"] if element.get("compares")]
    section["elements"] = [each for each in section["elements"] if not each.get("compares")]
    return taken


def make_section(report: Report, taken: dict[str, list[Element]]) -> Element | None:
    """The study compared with the paper; None if they share no cell of the grid.

    Args:
        report: the results.
        taken: the comparisons by the title of the section that made them.
    """
    if not report.is_compared:
        return None
    inner = [one for shown in taken.values() for element in shown for one in _walk(element)]
    verdicts = [verdict for element in inner for verdict in element.get("verdicts", ())]
    differences = differences_from_paper(report.drop_references(report.trials))
    words = (
        f"These models are not those of Locatello et al. (2019): {'; '.join(differences)}. Their "
        "numbers describe these models, and are no evidence for or against the paper."
    )
    parameters = "These scores use the paper's parameters; the other scores on this page do not."
    return elements.section(
        "paper",
        "Comparison with the paper's numbers",
        _tabulate_coverage(report),
        *([elements.text(words)] if differences else []),
        *(elements.text(tally) for tally in tally_verdicts(verdicts)),
        elements.heading("When two numbers are compared"),
        elements.text(RULE, "reading"),
        *([elements.text(parameters, "note")] if report.of_paper is not None else []),
        *(
            element
            for title, shown in taken.items()
            if shown
            for element in (elements.heading(title), *shown)
        ),
    )


def _walk(element: Element) -> list[Element]:
    return [element, *elements.walk(element)]


def _tabulate_coverage(report: Report) -> Element:
    """How much of the paper's grid is covered."""
    rows = paper_coverage(report.drop_references(report.trials))
    rows = rows.assign(share=100 * rows["share"])
    titles = {"dataset": "Data set", "num_models": "Models of the paper's grid"}
    titles |= {"share": "Share of the paper's 1,800, %", "num_settings": "Settings, of 36"}
    titles |= {"num_seeds": "Seeds per setting"}
    return elements.table("coverage", rows, titles, digits=1, names=report.names)


def tabulate_comparison(
    report: Report,
    summary: DataFrame,
    figure: str,
    table: DataFrame,
    value: str,
    dataset: str = "",
    score: str = "",
) -> list[Element]:
    """A table of our numbers, the published ones, and whether they agree.

    Args:
        report: the results.
        summary: our numbers; this and the following arguments are as in `compare_with_paper`.
        figure: the published table.
        table: the wide scores behind the numbers.
        value: the column to compare.
        dataset: the data set of the published table.
        score: the score of the published table.
    """
    if not report.is_compared:
        return []
    compared = compare_with_paper(summary, figure, table, value, dataset, score, report.more)
    name = "-".join(filter(None, ["comparison", figure, dataset, score]))
    shown = compared[compared["published"].notna()]
    if shown.empty:
        return []
    reasons = [[part for part in why.split("; ") if part] for why in shown["why"]]
    common = [part for part in reasons[0] if all(part in others for others in reasons)]
    own = ["; ".join(part for part in parts if part not in common) for parts in reasons]
    rows = shown.assign(
        interval=[
            DASH if np.isnan(low) else f"{100 * low:.1f} to {100 * high:.1f}".replace("-", MINUS)
            for low, high in zip(shown["low"], shown["high"], strict=True)
        ],
        why=own,
        **{column: 100 * shown[column] for column in (value, "published", "difference")},
    )
    titles = {"row": "Of", "column": "And", value: "Ours, %", "interval": "95 % interval"}
    titles |= {"num_models": "Models", "published": "Published, %", "difference": "Difference"}
    titles |= {"comparison": "Comparison"}
    titles |= {"why": "Reason"} if any(own) else {}
    whole = elements.table(name, rows, titles, digits=1, names=report.names)
    whole["verdicts"] = list(shown["comparison"])
    if shown[value].isna().all():
        whole = elements.text("This study has no numbers to compare with it.", "note")
    elif len(rows) > MOST_ROWS:
        whole = elements.details(f"All {len(rows)} numbers with the published ones", whole)
    none = set(shown["comparison"]) == {"not comparable"}
    words = (
        [f"{'Not comparable' if none else 'For all rows'}: {'; '.join(common)}."] if common else []
    )
    words += [f"Based on {_describe_models(table)}.", *tally_verdicts(list(shown["comparison"]))]
    if sources := [source for source in shown["source"].unique() if source]:
        words += [f"Published numbers: {'; '.join(sources)}."]
    return mark(whole, elements.text(" ".join(words), "note"))


def plot_published(report: Report, name: str, published: DataFrame) -> list[Element]:
    """The matrix that the paper prints for a data set, if it prints one."""
    if published.empty or not report.is_compared:
        return []
    dataset = report.names.label(published["dataset"].iat[0])
    caption = f"Published, {dataset}: {published['source'].iat[0]}; 1,800 models."
    return mark(plot_matrix(report, name, published, caption, "published"))


def _describe_models(table: DataFrame) -> str:
    """The number of models, and how many of the paper's cells they fill, if any."""
    return ", ".join(filter(None, [format_count(len(table), "model"), _describe_coverage(table)]))


def _describe_coverage(table: DataFrame) -> str:
    """How many of the paper's cells these models fill, in words; empty for other data sets."""
    known = [name for name in paper_grid()["datasets"] if (table["dataset"] == name).any()]
    total = len(known) * MODELS_PER_DATASET
    if not total:
        return ""
    share = paper_coverage(table)["num_models"].sum() / total
    percent = format_percent(share, 0 if share in (0, 1) else 1)
    return f"{percent} of the paper's {total:,} cells filled"
