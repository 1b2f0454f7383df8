"""The report as one static HTML page about a results folder."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import jinja2
import pandas as pd

from ...sweep.store.results import Results, ResultsError
from ...version import __version__
from ...words import format_count
from ..choice import Parameters, Seed
from ..formats import DASH, TIMES, format_percent
from ..names import Names
from ..paper.published import published_numbers
from ..paper_grid import LATER_RULES
from ..plots.style import save_pdf
from ..tables import ResultsReader, list_other_scores, open_results, scores
from . import (
    beside_paper,
    bound,
    correlations,
    elements,
    found,
    glossary,
    model_selection,
    power,
    progress,
    provenance,
    regularisation,
    studies,
    variation,
)
from .absent import find_remaining
from .elements import Element
from .explorer import explorer_path, find_template, write_explorer
from .parts import Report, keep_present, read_both, read_done
from .pictures import choose_pictures, ranking_score


def write_report(
    results: ResultsReader | str | Path,
    path: str | Path | None = None,
    more: str | Path | None = None,
    parameters: Parameters = None,
    metric_seed: Seed = None,
    beside: ResultsReader | str | Path | None = None,
) -> Path:
    """Writes one static HTML page about a results folder; returns its path.

    Beside ``report.html``, the folder ``report_files`` gets every figure as PDF, every table as
    CSV, and a gallery of the best, median and worst model of each method and data set. The page
    ``explorer.html`` shows every model, with axes and filters that the reader chooses.

    Args:
        results: a path, a URI or an open results folder.
        path: the page; ``report.html`` in the results folder if None.
        more: a JSON file with further published numbers, see `published`.
        parameters: the metric parameters to choose, as in `scores`.
        metric_seed: the metric seed to choose.
        beside: a second study to compare with.

    Raises:
        ResultsError: if there is no study, no finished model or no such score, if `path` is None
            and the results are not in a local folder, or if the two studies cannot be read as one.
    """
    folder = open_results(results)
    if path is None and ("://" in str(results) or not Path(str(results)).is_dir()):
        where = folder.uri if isinstance(folder, Results) else results
        raise ResultsError(f"{where} is not a local folder: give a path for the report")
    path = Path(str(results)) / "report.html" if path is None else Path(path)
    report = read_report(folder, more, parameters, metric_seed, beside)
    files = path.with_name(f"{path.stem}_files")
    files.mkdir(parents=True, exist_ok=True)
    sections = make_sections(report)
    for element in (inner for section in sections for inner in elements.walk(section)):
        if element["kind"] == "figure":
            save_pdf(element["figure"], files / f"{element['name']}.pdf")
        elif element["kind"] == "data":
            for name, rows in element["tables"].items():
                rows.to_csv(files / f"{name.replace('/', '_')}.csv", index=False)
    _write_gallery(report, files)
    explorer = explorer_path(path)
    source = Path(str(results)).name
    page = render(report, sections, source, files.name, explorer.name)
    path.write_text(page, encoding="utf-8")
    write_explorer(report, explorer, files)
    raise_failed(sections, path)
    return path


def read_report(
    folder: ResultsReader,
    more: str | Path | None = None,
    parameters: Parameters = None,
    metric_seed: Seed = None,
    beside: ResultsReader | str | Path | None = None,
) -> Report:
    """Reads what the report needs from a results folder, and from a second one beside it.

    Raises:
        ResultsError: if no model is done, or if the two cannot be read as one.
        PublishedError: if `more` is not a valid file of published numbers.
    """
    choice = (parameters, metric_seed)
    both = None if beside is None else scores([folder, beside], "mean", True, *choice)
    names = Names.of_study(folder.study)
    models = read_done(folder, names)
    if models.empty:
        raise ResultsError("no model is done yet, so there is nothing to report")
    shown, papers = read_both(folder, names, *choice), read_both(folder, names, "paper")
    _ = published_numbers("table_1", more)  # raises if the reader's own file is faulty
    report = Report(folder, names, models, shown[0], shown[1], more, find_remaining(folder))
    own, others = (
        pd.concat(tables).drop(columns="kl_per_latent", errors="ignore")
        for tables in (shown, papers)
    )
    if not own.equals(others):
        report = report._replace(of_paper=report._replace(mean=papers[0], sampled=papers[1]))
    return report._replace(beside=both, own=_list_own_scores(folder))


def _list_own_scores(folder: ResultsReader) -> tuple[str, ...]:
    """Scores of whole representations that the report treats like the paper's six.

    Rules for choosing models and components of the bound are not included; they have their own
    sections.
    """
    apart = {*LATER_RULES, *bound.SCORES}
    others = list_other_scores(folder, per_factor=False)
    return ("dci_completeness", *(name for name in others if name not in apart))


def _mark_own_scores(report: Report) -> Report:
    """The report with an asterisk at each score that is not one of the paper's six."""
    names, there = report.names, keep_present(report.mean, report.own)
    labels = {name: f"{names.label(name)}*" for name in there}
    return report._replace(names=replace(names, labels={**names.labels, **labels}))


MOST_NAMED = 7
"""The most methods or data sets named in a sentence; more are counted."""

SECTIONS: dict[str, Callable[[Report], Element | None]] = {
    "found": found.make_section,
    "progress": progress.make_progress,
    "scores": progress.make_scores,
    "agreement": correlations.make_agreement,
    "importance": variation.make_importance,
    "hyperparameters": variation.make_hyperparameters,
    "strength": regularisation.make_section,
    "selection": model_selection.make_section,
    "usefulness": correlations.make_usefulness,
    "power": power.make_section,
    "studies": studies.make_section,
    "bound": bound.make_section,
    "curves": progress.make_curves,
    "pictures": progress.make_pictures,
    "codes": progress.make_codes,
    "provenance": provenance.make_section,
}


def make_sections(report: Report, names: Iterable[str] = tuple(SECTIONS)) -> list[Element]:
    """The sections of the page; all of them if none are named.

    A section with nothing to show says why, or is left out. A section that fails does not affect
    the others: it shows a message, and has the exception as "error". The last two sections hold
    the glossary and the comparisons with the paper.
    """
    report = _mark_own_scores(report)
    sections, comparisons = [], {}
    for name in names:
        section = _make_section(name, lambda name=name: _make_parted(report, name))
        if section:
            sections.append(section)
            comparisons[section["title"]] = section.pop("comparisons", [])
    paper = _make_section("paper", lambda: beside_paper.make_section(report, comparisons))
    last = [paper] if paper else []
    words = glossary.make_section([*sections, *last])
    sections = [*sections, *([words] if words else []), *last]
    for section in sections:
        elements.title_tables(section)
    return sections


def _make_parted(report: Report, name: str) -> Element | None:
    """A section, with its comparisons with the paper made from the paper's parameters."""
    make = SECTIONS[name]
    section = make(report)
    if section:
        section["elements"] += _explain_asterisk(report, section)
        section["comparisons"] = beside_paper.take_comparisons(section)
        if report.of_paper is not None and (of_paper := make(report.of_paper)):
            section["comparisons"] = beside_paper.take_comparisons(of_paper)
    return section


def _explain_asterisk(report: Report, section: Element) -> list[Element]:
    """A note on scores outside the paper's six, if a section shows any."""
    said = {words for one in elements.walk(section) for words in elements.read(one)}
    labels = {name: report.names.label(name) for name in keep_present(report.mean, report.own)}
    shown = [name for name, label in labels.items() if any(label in words for words in said)]
    if not shown:
        return []
    lower = [labels[name] for name in shown if report.names.sign(name) < 0]
    less = f" For {', '.join(lower)} less is better." if lower else ""
    return [elements.text(f"* is not one of the paper's six scores.{less}", "note")]


def _make_section(name: str, make: Callable[[], Element | None]) -> Element | None:
    try:
        return make()
    except Exception as error:
        why = f"This section could not be made, because of a bug in Teasel: {error!r}."
        failed = elements.section(name, name.capitalize(), elements.text(why, "notice"))
        return failed | {"error": error}


def raise_failed(sections: list[Element], page: object) -> None:
    """Raises the exception of the first section that failed, if any did."""
    for section in sections:
        if "error" in section:
            section["error"].add_note(f"The report without this section was written to {page}")
            raise section["error"]


def render(
    report: Report,
    sections: list[Element],
    source: str = "results",
    files: str = "",
    explorer: str = "",
) -> str:
    """The page as HTML: the same text for the same results.

    Args:
        report: the results.
        sections: the sections from `make_sections`.
        source: the name of the results.
        files: the folder beside the page, if any.
        explorer: the explorer beside the page, if any.
    """
    return _template().render(
        title=report.folder.study["study"],
        lead=describe_study(report),
        facts=_list_facts(report),
        notices=list_notices(report),
        sections=sections,
        version=__version__,
        source=source,
        files=files,
        explorer=explorer,
    )


def _template() -> jinja2.Template:
    return find_template("report.html", explain=glossary.Explainer())


def describe_study(report: Report) -> str:
    """The study in one sentence."""
    trained = report.drop_references(report.trials)
    methods, datasets = (
        _join([report.names.label(name) for name in given], what)
        for given, what in ((trained["method"].unique(), "method"), (report.datasets, "data set"))
    )
    models = format_count(len(trained), "trained model")
    return f"{models} ({methods}) on {datasets}, scored for disentanglement."


def _list_facts(report: Report) -> list[dict]:
    trained = report.drop_references(report.trials)
    seeds = trained.groupby(["dataset", "method", "setting"])["seed"].nunique()
    span = "0" if seeds.empty else f"{seeds.min()}"
    if len(seeds) and seeds.min() != seeds.max():
        span += f"{DASH}{seeds.max()}"
    hours = (report.trials["train_seconds"].sum() + report.trials["encode_seconds"].sum()) / 3600
    facts = [
        ("models trained", f"{len(trained):,}"),
        (f"settings {TIMES} data sets", f"{len(seeds):,}"),
        ("seeds per setting", span),
        ("hours of training and encoding", f"{hours:,.1f}" if hours < 100 else f"{hours:,.0f}"),
    ]
    if report.left and (planned := sum(report.left.tally)):
        done = format_percent(report.left.tally.done / planned)
        facts.insert(1, (f"of {planned:,} planned are done", done))
    return [{"name": name, "value": value} for name, value in facts]


def list_notices(report: Report) -> list[str]:
    """The notices about the study in its grids."""
    entries = report.folder.study.get("grids", [])
    return list(dict.fromkeys(each["description"] for each in entries if each.get("description")))


def _write_gallery(report: Report, folder: Path) -> None:
    """Writes the gallery of the best, median and worst model per data set and method."""
    pictures = choose_pictures(report, by=("dataset", "method"))
    sections = []
    for dataset, some in groupby(pictures, key=lambda picture: picture.dataset):
        addresses = []
        for picture in some:
            (folder / f"{picture.name}.png").write_bytes(picture.png)
            addresses.append((f"{picture.name}.png", picture.caption))
        gallery = elements.gallery(addresses, columns=3)
        label = report.names.label(dataset)
        sections.append(elements.section(f"gallery-{dataset}", label, gallery))
    score = report.names.label(ranking_score(report.trained, report.own))
    words = f"The best, the median and the worst model of each method, by {score}."
    page = _template().render(
        title=f"{report.folder.study['study']}: gallery",
        lead=words if pictures else "No pictures are stored.",
        sections=sections,
        version=__version__,
        source="report.html",
    )
    (folder / "gallery.html").write_text(page, encoding="utf-8")


def _join(names: list[str], what: str) -> str:
    """The names, or their number if there are many."""
    if len(names) > MOST_NAMED:
        return format_count(len(names), what)
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]])) or "none"
