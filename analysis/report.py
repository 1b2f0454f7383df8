"""One static page that says what a results folder shows."""

from importlib.metadata import version
from itertools import groupby
from pathlib import Path

import jinja2

from ..sweep.results import Results as ResultsFolder
from ..sweep.results import ResultsError
from ..sweep.store import StoreError
from . import blocks, figures
from . import sections as questions
from .blocks import Block
from .drawing import figure, save_pdf
from .embedding import embedding
from .frames import DataFrame
from .gallery import pictures, ranking_score
from .labels import DASH, MINUS, TIMES, label, setting_label
from .pieces import Study, present
from .published import differences, filled
from .summary import exemplars, in_study_order, score_table, training_curves
from .tables import (
    DISENTANGLEMENT,
    Results,
    learned,
    open_results,
    representation,
    scores,
    trials,
)
from .verdict import RULE


def write_report(
    results: Results | str | Path, path: str | Path | None = None, more: str | Path | None = None
) -> Path:
    """The path of one static HTML page about a results folder, which it writes.

    Beside ``report.html`` the folder ``report_files`` gets every figure as PDF, every table as
    CSV, and a gallery of the best, median and worst model of each method and data set.

    Args:
        results: a path, a URI or an open results folder.
        path: the page; ``report.html`` in the results folder if None.
        more: a JSON file with published numbers of your own, see `published`.

    Raises:
        ResultsError: if `path` is None and the results are no local folder, or if no model is done.
    """
    if path is None and ("://" in str(results) or not Path(str(results)).is_dir()):
        raise ResultsError(f"{results} is no local folder: say where the report should be written")
    path = Path(str(results)) / "report.html" if path is None else Path(path)
    study = read(open_results(results), more)
    beside = path.with_name(f"{path.stem}_files")
    beside.mkdir(parents=True, exist_ok=True)
    sections = make_sections(study)
    for block in (part for section in sections for part in blocks.inner(section)):
        if block["kind"] == "figure":
            save_pdf(block["figure"], beside / f"{block['name']}.pdf")
        elif block["kind"] == "data":
            for name, rows in block["tables"].items():
                rows.to_csv(beside / f"{name}.csv", index=False)
    _write_gallery(study, beside)
    page = render(study, sections, source=Path(str(results)).name, beside=beside.name)
    path.write_text(page, encoding="utf-8")
    return path


def read(folder: Results, more: str | Path | None = None) -> Study:
    """What the report needs of a results folder.

    Raises:
        ResultsError: if there is no study, or no model is done.
    """
    _ = folder.study  # raises if there is none
    models = in_study_order(trials(folder))
    models = models[models["status"] == "done"]
    if models.empty:
        raise ResultsError("no model is done yet: there is nothing to report")
    mean, sampled = (
        in_study_order(scores(folder, representation=kind, wide=True))
        for kind in ("mean", "sampled")
    )
    return Study(folder, models, mean, sampled, more)


def make_sections(study: Study) -> list[Block]:
    """All sections of the page, those that have something to show."""
    made = [
        _progress(study),
        _scores(study),
        questions.agreement(study),
        questions.what_matters(study),
        questions.strength(study),
        questions.selection(study),
        questions.usefulness(study),
        questions.power(study),
        _curves(study),
        _pictures(study),
        _codes(study),
        _provenance(study),
    ]
    return [section for section in made if section and section["blocks"]]


def render(study: Study, sections: list[Block], source: str = "results", beside: str = "") -> str:
    """The page as HTML: the same text for the same results.

    Args:
        study: the results.
        sections: of `make_sections`.
        source: what to call the results.
        beside: the folder of files beside the page, if there is one.
    """
    return _template().render(
        title=study.folder.study["study"],
        lead=_lead(study),
        facts=_facts(study),
        notices=_notices(study),
        sections=sections,
        version=version("teasel"),
        source=source,
        beside=beside,
    )


def _template() -> jinja2.Template:
    loader = jinja2.PackageLoader("teasel", "analysis")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True)
    return environment.get_template("report.html")


def _lead(study: Study) -> str:
    methods = [label(name) for name in learned(study.trials)["method"].unique()]
    datasets = [label(name) for name in study.datasets]
    return (
        f"{len(learned(study.trials)):,} trained {_plural('model', learned(study.trials))} "
        f"({_listed(methods)}) on {_listed(datasets)}, scored for disentanglement."
    )


def _facts(study: Study) -> list[dict]:
    trained = learned(study.trials)
    seeds = trained.groupby(["dataset", "method", "setting"])["seed"].nunique()
    span = "0" if seeds.empty else f"{seeds.min()}"
    if len(seeds) and seeds.min() != seeds.max():
        span += f"{DASH}{seeds.max()}"
    hours = (study.trials["train_seconds"].sum() + study.trials["encode_seconds"].sum()) / 3600
    facts = [
        ("models trained", f"{len(trained):,}"),
        (f"settings {TIMES} data sets", f"{len(seeds):,}"),
        ("seeds per setting", span),
        ("hours of training and encoding", f"{hours:,.1f}" if hours < 100 else f"{hours:,.0f}"),
    ]
    if planned := _planned(study.folder):
        facts.insert(1, (f"of {planned:,} planned", f"{len(study.trials) / planned:.0%}"))
    return [{"name": name, "value": value} for name, value in facts]


def _planned(folder: Results) -> int | None:
    """How many models the grids of a real results folder ask for."""
    if not isinstance(folder, ResultsFolder) or "grids" not in folder.study:
        return None
    from ..sweep.study import frozen_grids, work

    return len(work(frozen_grids(folder)))


def _notices(study: Study) -> list[str]:
    entries = study.folder.study.get("grids", [])
    notices = [entry["description"] for entry in entries if entry.get("description")]
    if found := differences(study.trials):
        notices.append(
            f"This is not the study of Locatello et al. (2019): {'; '.join(found)}. Its numbers "
            "show what these models do; they say nothing for or against the paper."
        )
    return list(dict.fromkeys(notices))


def _progress(study: Study) -> Block | None:
    trained = learned(study.trials)
    if trained.empty:
        return None
    done = trained.groupby("dataset", sort=False).agg(
        models=("trial_id", "size"), settings=("setting", "nunique"), seeds=("seed", "nunique")
    )
    rows = done.reset_index().merge(filled(trained), on="dataset")
    rows = rows.assign(dataset=rows["dataset"].map(label), share=100 * rows["share"])
    titles = {
        "dataset": "Data set",
        "models": "Models trained",
        "settings": "Settings",
        "seeds": "Seeds",
        "num_models": "Of the paper's grid",
        "share": "Share of its 1,800, %",
    }
    table = blocks.table("filled", rows, titles, digits=1)
    return blocks.section(
        "progress",
        "How far the study is",
        table,
        blocks.heading("When a number is compared with the paper's"),
        blocks.text(RULE),
    )


def _scores(study: Study) -> Block:
    shown = present(study.mean, (*DISENTANGLEMENT, "explicitness_test", "dci_informativeness_test"))
    if not shown:
        return blocks.section(
            "scores", "Scores", blocks.text("No model has a score yet.", "behind")
        )
    words = (
        "Mean over seeds ± standard deviation over seeds, of the mean representation. The highest "
        "mean of each score is bold; that alone is no evidence of a difference. Grey rows are "
        "representations that nothing has trained. Click a heading to sort."
    )
    parts = [blocks.text(words, "reading")]
    for dataset in study.datasets:
        rows = study.mean[study.mean["dataset"] == dataset]
        summary = score_table(rows, present(rows, shown))
        parts += [blocks.heading(label(dataset)), blocks.score_table(f"scores-{dataset}", summary)]
    parts.append(blocks.data(scores=score_table(study.mean, shown)))
    return blocks.section("scores", "Scores", *parts)


def _curves(study: Study) -> Block | None:
    curves = study.folder.table("curves").to_pandas()
    summary = training_curves(learned(study.trials), curves)
    parts = []
    for dataset, rows in summary.groupby("dataset", sort=False):
        columns = rows["method"].nunique()
        drawing = figure(
            figures.draw_curves,
            rows,
            size=(1.1 + 2.0 * columns if columns > 1 else 3.8, 4.2),
            grid=(2, columns),
            sharex=True,
            sharey="row",
            squeeze=False,
        )
        caption = f"{label(str(dataset))}: mean over the seeds of each setting, darker is stronger."
        parts.append(blocks.drawn(f"curves-{dataset}", drawing, caption))
    return blocks.section("curves", "Training", *parts)


def _pictures(study: Study) -> Block | None:
    shown = pictures(study.folder, study.mean, which=("best", "median"))
    if not shown:
        return None
    words = (
        f"The best and the median trained model by {label(str(ranking_score(study.mean)))}. "
        "Reconstructions stand to the right of their originals; a traversal's row moves one latent "
        f"from {MINUS}2 to 2."
    )
    parts = [blocks.text(words, "reading")]
    for dataset, found in groupby(shown, key=lambda picture: picture.dataset):
        addresses = [(blocks.inline(picture.png), picture.caption) for picture in found]
        parts += [blocks.heading(label(dataset)), blocks.gallery(addresses, columns=2)]
    return blocks.section("pictures", "What the models draw", *parts)


def _write_gallery(study: Study, folder: Path) -> None:
    """Writes the pictures of the best, median and worst model per data set and method."""
    shown = pictures(study.folder, study.mean, by=("dataset", "method"))
    sections = []
    for dataset, found in groupby(shown, key=lambda picture: picture.dataset):
        addresses = []
        for picture in found:
            (folder / f"{picture.name}.png").write_bytes(picture.png)
            addresses.append((f"{picture.name}.png", picture.caption))
        pieces = blocks.gallery(addresses, columns=3)
        sections.append(blocks.section(f"gallery-{dataset}", label(dataset), pieces))
    words = (
        "The best, the median and the worst model of each method, by "
        f"{label(str(ranking_score(study.mean)))}."
    )
    page = _template().render(
        title=f"{study.folder.study['study']}: gallery",
        lead=words if shown else "No pictures are stored.",
        facts=[],
        notices=[],
        sections=sections,
        version=version("teasel"),
        source="report.html",
        beside="",
    )
    (folder / "gallery.html").write_text(page, encoding="utf-8")


def _codes(study: Study) -> Block | None:
    score = ranking_score(study.mean)
    if score is None:
        return None
    best = exemplars(study.mean, score).query("which == 'best'").iloc[0]
    try:
        codes = representation(study.folder, best["trial_id"])
    except (ResultsError, StoreError):
        return None
    summary = embedding(codes)
    rows, columns = -(-(summary.shape[1] - 2) // 5), min(5, summary.shape[1] - 2)
    drawing = figure(
        figures.draw_embedding,
        summary,
        size=(1.9 * columns, 2.0 * rows),
        grid=(rows, columns),
        squeeze=False,
    )
    caption = (
        f"{label(best['dataset'])}, {label(best['method'])} {setting_label(best['setting'])}, seed "
        f"{best['seed']}: t-SNE of {len(summary):,} mean codes, coloured by each factor in turn."
    )
    return blocks.section("codes", "One model's codes", blocks.drawn("codes-map", drawing, caption))


def _provenance(study: Study) -> dict:
    names = {
        "teasel_version": "Teasel",
        "jax_version": "JAX",
        "numpy_version": "NumPy",
        "sklearn_version": "scikit-learn",
        "device": "Device",
        "host": "Host",
        "data_source": "Data source",
        "data_fingerprint": "Data fingerprint",
        "steps": "Training steps",
    }
    facts = []
    for column, title in names.items():
        if column in study.trials:
            counts = study.trials[column].dropna().value_counts()
            values = [
                f"{value:,}" if isinstance(value, int) else str(value) for value in counts.index
            ]
            facts.append((title, ", ".join(values)))
    score_rows = study.folder.table("scores")
    errors = len(score_rows) - score_rows["value"].drop_null().length()
    facts += [
        ("Hours of training", f"{study.trials['train_seconds'].sum() / 3600:,.2f}"),
        ("Scores", f"{len(score_rows) - errors:,}, and {errors:,} that could not be computed"),
        ("Failed attempts", f"{len(study.folder.table('failures')):,}"),
    ]
    rows = DataFrame(facts, columns=["what", "value"])
    return blocks.section(
        "provenance",
        "Provenance",
        blocks.table("provenance-table", rows, {"what": "", "value": " "}),
    )


def _plural(word: str, rows: DataFrame) -> str:
    return word if len(rows) == 1 else f"{word}s"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
