"""One static page that says what a results folder shows."""

from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import jinja2

from . import blocks, drawing
from .correlation import rank_correlation
from .frames import DataFrame
from .labels import DASH, MINUS, TIMES, label, setting_label
from .published import differences, published
from .summary import exemplars, in_study_order, score_table, training_curves
from .tables import DISENTANGLEMENT, Results, learned, open_results, scores, trials


class Study(NamedTuple):
    """A results folder, read once."""

    folder: Results
    trials: DataFrame
    mean: DataFrame

    @property
    def datasets(self) -> list[str]:
        """In the paper's order."""
        return list(in_study_order(self.trials)["dataset"].unique())


def write_report(results: Results | str | Path, path: str | Path | None = None) -> Path:
    """The path of one static HTML page about a results folder, which it writes.

    Args:
        results: a path, a URI or an open results folder.
        path: the page; ``report.html`` in the results folder if None.

    Raises:
        ValueError: if `path` is None and the results are no local folder, or if no model is done.
    """
    if path is None and ("://" in str(results) or not Path(str(results)).is_dir()):
        raise ValueError(f"{results} is no local folder: say where the report should be written")
    path = Path(str(results)) / "report.html" if path is None else Path(path)
    page = render(open_results(results), source=Path(str(results)).name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def render(folder: Results, source: str = "results") -> str:
    """The page as HTML: the same text for the same results."""
    models = in_study_order(trials(folder))
    models = models[models["status"] == "done"]
    if models.empty:
        raise ValueError("no model is done yet: there is nothing to report")
    study = Study(folder, models, in_study_order(scores(folder, wide=True)))
    sections = [
        _scores(study),
        _agreement(study),
        _curves(study),
        _pictures(study),
        _provenance(study),
    ]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("teasel", "analysis"), autoescape=True, trim_blocks=True
    )
    return environment.get_template("report.html").render(
        title=folder.study["study"],
        lead=_lead(study),
        facts=_facts(study),
        notices=_notices(study),
        sections=[section for section in sections if section["blocks"]],
        version=version("teasel"),
        source=source,
    )


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
    span = f"{seeds.min()}" if seeds.min() == seeds.max() else f"{seeds.min()}{DASH}{seeds.max()}"
    hours = (study.trials["train_seconds"].sum() + study.trials["encode_seconds"].sum()) / 3600
    facts = [
        ("models trained", f"{len(trained):,}"),
        (f"settings {TIMES} data sets", f"{len(seeds):,}"),
        ("seeds per setting", span),
        ("hours of training and encoding", f"{hours:,.1f}" if hours < 100 else f"{hours:,.0f}"),
    ]
    if planned := _planned(study):
        facts.insert(1, ("of the planned models", f"{len(study.trials) / planned:.0%}"))
    return [{"name": name, "value": value} for name, value in facts]


def _planned(study: Study) -> int | None:
    cells = study.folder.study.get("cells")
    return cells if isinstance(cells, int) else None


def _notices(study: Study) -> list[str]:
    if not (found := differences(study.trials)):
        return []
    return [
        f"This is not the study of Locatello et al. (2019): {'; '.join(found)}. Its numbers show "
        "what these models do; they say nothing for or against the paper."
    ]


def _scores(study: Study) -> dict:
    parts = [
        blocks.text(
            "Mean over seeds ± standard deviation over seeds, of the mean representation. The "
            "highest mean of each score is bold; that alone is no evidence of a difference. Grey "
            "rows are representations that nothing has trained. Click a heading to sort.",
            "reading",
        )
    ]
    shown = (*DISENTANGLEMENT, "explicitness_test", "dci_informativeness_test")
    for dataset in study.datasets:
        rows = study.mean[study.mean["dataset"] == dataset].dropna(axis=1, how="all")
        summary = score_table(rows, shown)
        parts += [blocks.heading(label(dataset)), blocks.score_table(f"scores-{dataset}", summary)]
    return blocks.section("scores", "Scores", *parts)


def _agreement(study: Study) -> dict:
    parts = []
    for dataset in study.datasets:
        rows = study.mean[study.mean["dataset"] == dataset]
        present = [name for name in DISENTANGLEMENT if name in rows and rows[name].notna().any()]
        summary = rank_correlation(rows, present)
        behind = f"{summary['num_models'].max() if len(summary) else 0:,}"
        if summary["correlation"].notna().sum() == 0:
            words = f"{label(dataset)}: no correlation over {behind} models."
            parts.append(blocks.text(words, "behind"))
            continue
        figures = [
            blocks.drawn(
                f"correlation-{dataset}",
                drawing.figure(drawing.draw_matrix, summary, size=(4.6, 3.6)),
                f"{label(dataset)}: {behind} models. {'; '.join(_notes(summary))}",
            )
        ]
        known = published("figure_2").query("dataset == @dataset")
        if len(known):
            matrix = drawing.figure(
                lambda table, axes: drawing.draw_matrix(table, axes, "published"),
                known,
                size=(4.6, 3.6),
            )
            words = f"Published: {known['source'].iat[0]}; 1,800 models."
            figures.append(blocks.drawn(f"published-{dataset}", matrix, words))
        parts += figures
    if not parts:
        return blocks.section("agreement", "Do the scores agree?")
    reading = (
        "Spearman's rank correlation between scores over all trained models of a data set, in "
        "percent: 100 where two scores rank the models alike, 0 where one says nothing about the "
        "other. With few models, large values come up by chance."
    )
    return blocks.section(
        "agreement", "Do the scores agree?", blocks.text(reading, "reading"), blocks.pair(*parts)
    )


def _notes(summary: DataFrame) -> list[str]:
    return [f"{note}." for note in summary["note"].unique() if note]


def _curves(study: Study) -> dict:
    curves = study.folder.table("curves").to_pandas()
    summary = training_curves(learned(study.trials), curves)
    parts = []
    for dataset, rows in summary.groupby("dataset", sort=False):
        columns = rows["method"].nunique()
        figure = drawing.figure(
            drawing.draw_curves,
            rows,
            size=(1.1 + 2.0 * columns if columns > 1 else 3.8, 4.2),
            grid=(2, columns),
            sharex=True,
            sharey="row",
            squeeze=False,
        )
        caption = f"{label(str(dataset))}: mean over the seeds of each setting, darker is stronger."
        parts.append(blocks.drawn(f"curves-{dataset}", figure, caption))
    return blocks.section("curves", "Training", *parts)


def _pictures(study: Study) -> dict:
    score = next(
        (
            name
            for name in ("mig", *DISENTANGLEMENT, "elbo")
            if name in study.mean and study.mean[name].notna().any()
        ),
        None,
    )
    if score is None:
        return blocks.section("pictures", "What the models draw")
    chosen = exemplars(study.mean, score).query("which != 'worst'")
    stored = study.folder.table("pictures").to_pandas()
    stored = stored[stored["trial_id"].isin(chosen["trial_id"])]
    pngs = {(row.trial_id, row.kind): row.png for row in stored.itertuples()}
    parts = []
    for dataset, rows in chosen.groupby("dataset", sort=False):
        pictures = [
            (
                pngs[row["trial_id"], kind],
                f"{kind.capitalize()}, {row['which']} model: {label(row['method'])} "
                f"{setting_label(row['setting'])}, seed {row['seed']}, "
                f"{label(score)} {row[score]:.2f}",
            )
            for kind in ("reconstructions", "traversals")
            for row in rows.to_dict("records")
            if (row["trial_id"], kind) in pngs
        ]
        if pictures:
            parts += [
                blocks.heading(label(str(dataset))),
                blocks.gallery(pictures, columns=len(rows)),
            ]
    if parts:
        reading = (
            f"The best and the median trained model by {label(score)}. Reconstructions stand to "
            f"the right of their originals; a traversal's row moves one latent from {MINUS}2 to 2."
        )
        parts.insert(0, blocks.text(reading, "reading"))
    return blocks.section("pictures", "What the models draw", *parts)


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
        blocks.table("provenance-table", rows, {"what": "", "value": ""}),
    )


def _plural(word: str, rows: DataFrame) -> str:
    return word if len(rows) == 1 else f"{word}s"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
