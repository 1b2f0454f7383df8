"""One static page that says what a results folder shows."""

from collections.abc import Callable
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

import jinja2

from ...sweep.store.results import Results, ResultsError
from ...sweep.study.study import read_study
from ..labels import DASH, TIMES, counted, label, percent
from ..paper.published import differences, published
from ..plots.style import save_pdf
from ..summary import in_paper_order
from ..tables import ResultsReader, learned, open_results, scores, trials
from . import elements, progress
from .agreement import agreement
from .elements import Block
from .model_selection import selection
from .parts import Report
from .pictures import pictures, ranking_score
from .power import power
from .provenance import provenance
from .regularisation import strength
from .usefulness import usefulness
from .variation import what_matters


def write_report(
    results: ResultsReader | str | Path,
    path: str | Path | None = None,
    more: str | Path | None = None,
) -> Path:
    """The path of one static HTML page about a results folder, which it writes.

    Beside ``report.html`` the folder ``report_files`` gets every figure as PDF, every table as
    CSV, and a gallery of the best, median and worst model of each method and data set.

    Args:
        results: a path, a URI or an open results folder.
        path: the page; ``report.html`` in the results folder if None.
        more: a JSON file with published numbers of your own, see `published`.

    Raises:
        ResultsError: if there is no study, no model is done, or `path` is None and the results are
            no local folder.
    """
    folder = open_results(results)
    if path is None and ("://" in str(results) or not Path(str(results)).is_dir()):
        where = folder.uri if isinstance(folder, Results) else results
        raise ResultsError(f"{where} is no local folder: say where the report should be written")
    path = Path(str(results)) / "report.html" if path is None else Path(path)
    report = read(folder, more)
    beside = path.with_name(f"{path.stem}_files")
    beside.mkdir(parents=True, exist_ok=True)
    sections = make_sections(report)
    for block in (part for section in sections for part in elements.inner(section)):
        if block["kind"] == "figure":
            save_pdf(block["figure"], beside / f"{block['name']}.pdf")
        elif block["kind"] == "data":
            for name, rows in block["tables"].items():
                rows.to_csv(beside / f"{name}.csv", index=False)
    _write_gallery(report, beside)
    page = render(report, sections, source=Path(str(results)).name, beside=beside.name)
    path.write_text(page, encoding="utf-8")
    raise_failed(sections, path)
    return path


def read(folder: ResultsReader, more: str | Path | None = None) -> Report:
    """What the report needs of a results folder.

    Raises:
        ResultsError: if no model is done.
        PublishedError: if `more` is no such file.
    """
    models = in_paper_order(trials(folder))
    models = models[models["status"] == "done"]
    if models.empty:
        raise ResultsError("no model is done yet: there is nothing to report")
    mean, sampled = (
        in_paper_order(scores(folder, representation=kind, wide=True))
        for kind in ("mean", "sampled")
    )
    _ = published("table_1", more)  # raises if the reader's own file is faulty
    return Report(folder, models, mean, sampled, more)


SECTIONS: dict[str, Callable[[Report], Block]] = {
    "progress": progress.progress,
    "scores": progress.scored,
    "agreement": agreement,
    "importance": what_matters,
    "strength": strength,
    "selection": selection,
    "usefulness": usefulness,
    "power": power,
    "curves": progress.curves,
    "pictures": progress.drawn,
    "codes": progress.codes,
    "provenance": provenance,
}


def make_sections(report: Report) -> list[Block]:
    """All sections of the page; one that has nothing to show says why.

    One that fails costs none of the others: it says so, and has the exception as "error".
    """
    return [_section(name, make, report) for name, make in SECTIONS.items()]


def _section(name: str, make: Callable[[Report], Block], report: Report) -> Block:
    try:
        return make(report)
    except Exception as error:
        why = f"This section could not be made, by a fault of Teasel's: {error!r}."
        failed = elements.section(name, name.capitalize(), elements.text(why, "notice"))
        return failed | {"error": error}


def raise_failed(sections: list[Block], page: object) -> None:
    """Raises what the first section that could not be made failed with, if one did."""
    for section in sections:
        if "error" in section:
            section["error"].add_note(f"The report without this section is at {page}")
            raise section["error"]


def render(report: Report, sections: list[Block], source: str = "results", beside: str = "") -> str:
    """The page as HTML: the same text for the same results.

    Args:
        report: the results.
        sections: of `make_sections`.
        source: what to call the results.
        beside: the folder of files beside the page, if there is one.
    """
    return _template().render(
        title=report.folder.study["study"],
        lead=lead(report),
        facts=_facts(report),
        notices=notices(report),
        sections=sections,
        version=version("teasel"),
        source=source,
        beside=beside,
    )


def _template() -> jinja2.Template:
    loader = jinja2.PackageLoader("teasel.analysis.report", "")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True)
    return environment.get_template("report.html")


def lead(report: Report) -> str:
    """What the study is, in one sentence."""
    methods = [label(name) for name in learned(report.trials)["method"].unique()]
    datasets = [label(name) for name in report.datasets]
    return (
        f"{counted(len(learned(report.trials)), 'trained model')} "
        f"({_listed(methods)}) on {_listed(datasets)}, scored for disentanglement."
    )


def _facts(report: Report) -> list[dict]:
    trained = learned(report.trials)
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
    if planned := _planned(report.folder):
        facts.insert(1, (f"of {planned:,} planned", percent(len(report.trials) / planned)))
    return [{"name": name, "value": value} for name, value in facts]


def _planned(folder: ResultsReader) -> int | None:
    """How many models the grids of a real results folder ask for."""
    if not isinstance(folder, Results) or "grids" not in folder.study:
        return None
    return len(read_study(folder).wanted_trials())


def notices(report: Report) -> list[str]:
    """What its grids say of it, and in what it is not the paper's."""
    entries = report.folder.study.get("grids", [])
    notices = [entry["description"] for entry in entries if entry.get("description")]
    if found := differences(report.trials):
        notices.append(
            f"This is not the study of Locatello et al. (2019): {'; '.join(found)}. Its numbers "
            "show what these models do; they say nothing for or against the paper."
        )
    return list(dict.fromkeys(notices))


def _write_gallery(report: Report, folder: Path) -> None:
    """Writes the pictures of the best, median and worst model per data set and method."""
    shown = pictures(report.folder, report.mean, by=("dataset", "method"))
    sections = []
    for dataset, found in groupby(shown, key=lambda picture: picture.dataset):
        addresses = []
        for picture in found:
            (folder / f"{picture.name}.png").write_bytes(picture.png)
            addresses.append((f"{picture.name}.png", picture.caption))
        pieces = elements.gallery(addresses, columns=3)
        sections.append(elements.section(f"gallery-{dataset}", label(dataset), pieces))
    words = (
        "The best, the median and the worst model of each method, by "
        f"{label(str(ranking_score(report.mean)))}."
    )
    page = _template().render(
        title=f"{report.folder.study['study']}: gallery",
        lead=words if shown else "No pictures are stored.",
        facts=[],
        notices=[],
        sections=sections,
        version=version("teasel"),
        source="report.html",
        beside="",
    )
    (folder / "gallery.html").write_text(page, encoding="utf-8")


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]])) or "none"
