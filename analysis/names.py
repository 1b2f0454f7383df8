"""Labels of a study's methods, data sets and scores, and the direction of each score.

A results folder stores these in the section "catalogue" of its ``study.json``. Its tables and
figures are thus the same where a method, a metric or a data set is not installed.
"""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..sweep.store import versions
from ..words import readable

LOSSES = ("loss", "reconstruction", "kl")
"""Columns of every model for which less is better."""

_LABELS = {
    "reconstruction": "Reconstruction",
    "kl": "KL",
    "elbo": "ELBO",
    "efficiency_lr": "Efficiency (LR)",
    "efficiency_gbt": "Efficiency (GBT)",
    "udr": "UDR (later work)",
    "same_dataset": "same data set",
    "other_dataset": "other data set",
    "lambda_od": "λ_od",
    "beta": "β",
    "gamma": "\u03b3",
    "c_max": "C_max",
}
"""Labels that no catalogue has: losses, derived columns, hyper-parameters."""

REFERENCES = ("untrained", *reversed(versions.REFERENCES))
"""Teasel's references, in the order of tables."""

FURTHER_COLOURS = (
    *("#b04a7a", "#2f8f9d", "#8a6d3b", "#5b5fc7", "#7f9a2f", "#d07c9e", "#3f6b5c", "#a65628"),
    *("#4d4d8f", "#c4a000"),
)
"""Colours of methods and scores without their own, used in the order of the study."""

Section = Mapping[str, Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Names:
    """The names of a study, for its readers.

    Attributes:
        labels: labels of methods, data sets, scores' wide columns and hyper-parameters.
        colours: colours of trained methods, as "#rrggbb".
        lower_is_better: the wide columns for which less is better.
        references: the reference representations, in the order of tables.
        defaults: the default parameters of each metric.
    """

    labels: Mapping[str, str]
    colours: Mapping[str, str]
    lower_is_better: frozenset[str]
    references: tuple[str, ...]
    defaults: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of_study(cls, study: Mapping[str, Any]) -> "Names":
        """The names of a frozen study; missing ones are taken from the paper and Teasel."""
        section = study.get("catalogue", {})
        return cls.of_section(
            {kind: known | section.get(kind, {}) for kind, known in KNOWN.items()}
        )

    @classmethod
    def of_section(cls, section: Section) -> "Names":
        """The names in a section "catalogue"."""
        methods, metrics = section["methods"], section["metrics"]
        entries = [*methods.items(), *section["datasets"].items()]
        labels = {name: entry.get("label", "") for name, entry in entries}
        trained = [name for name in methods if methods[name].get("trained", True)]
        lower = set(LOSSES)
        for metric in metrics.values():
            labels |= metric.get("labels", {})
            lower |= set(metric.get("lower_is_better", ()))
        colours = cycle_colours([methods[name].get("colour") for name in trained])
        return cls(
            labels=_LABELS | labels,
            colours=dict(zip(trained, colours, strict=True)),
            lower_is_better=frozenset(lower),
            references=tuple(name for name in methods if not methods[name].get("trained", True)),
            defaults={name: metric.get("defaults", {}) for name, metric in metrics.items()},
        )

    def label(self, name: object) -> str:
        """The name to show for a method, a data set, a score or a hyper-parameter.

        >>> PAPER_NAMES.label("beta_tc_vae"), PAPER_NAMES.label("my_own_score")
        ('β-TC-VAE', 'my own score')
        """
        return self.labels.get(str(name)) or readable(str(name))

    def label_setting(self, setting: str) -> str:
        """A setting such as "lambda_od=5, steps=1000" with readable labels.

        >>> PAPER_NAMES.label_setting("lambda_od=5, a=b=1")
        'λ_od = 5, a=b = 1'
        """
        pairs = [part.rpartition("=") for part in setting.split(", ") if part]
        return ", ".join(f"{self.label(name)} = {value}" for name, _, value in pairs)

    def label_model(self, method: str, setting: str) -> str:
        """A method with its setting, as in "β-VAE β = 4"."""
        return f"{self.label(method)} {self.label_setting(setting)}".strip()

    def colour(self, method: object, otherwise: str) -> str:
        """The colour of a method, or `otherwise` if it has none."""
        return self.colours.get(str(method)) or otherwise

    def sign(self, column: str) -> int:
        """1 if more of a wide column is better, -1 if less is.

        >>> PAPER_NAMES.sign("mig"), PAPER_NAMES.sign("kl")
        (1, -1)
        """
        return -1 if column in self.lower_is_better else 1


def cycle_colours(given: Iterable[str | None]) -> list[str]:
    """The given colours, with missing ones replaced by the further ones in turn.

    >>> cycle_colours(["#000000", None, ""]) == ["#000000", *FURTHER_COLOURS[:2]]
    True
    """
    further = itertools.cycle(FURTHER_COLOURS)
    return [colour or next(further) for colour in given]


_TRAINED = [name for name in versions.METHODS if name not in REFERENCES]


def _describe(method: str) -> dict[str, Any]:
    label, colour, reference = versions.METHODS[method]
    trained = method not in REFERENCES
    return {"label": label, "colour": colour, "reference": reference, "trained": trained}


KNOWN: Section = {
    "methods": {name: _describe(name) for name in (*_TRAINED, *REFERENCES)},
    "metrics": versions.METRICS,
    "datasets": {name: {"label": label} for name, label in versions.DATASET_LABELS.items()},
}
"""The section "catalogue" of a study with the paper's methods, Teasel's references and metrics."""

PAPER_NAMES = Names.of_section(KNOWN)
"""The names for tables without a results folder."""
