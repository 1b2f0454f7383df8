"""From a results folder to the study's tables, figures and report.

`scores` and `trials` read a results folder as pandas tables; every other function takes such a
table and returns one, with the number of models behind each row and a note where a number cannot
be given. Drawing stands apart, in `drawing` and `figures`. `write_report` puts it all on one page.
"""

from .paper.compare import compare_with_paper
from .paper.figures import (
    figure_1,
    figure_2,
    figure_3,
    figure_4,
    figure_4_datasets,
    figure_5,
    figure_6,
    with_unsupervised_of_samples,
)
from .paper.published import differences, filled, published
from .report.export import export
from .report.page import write_report
from .report.provenance import fingerprints
from .statistics.correlation import dataset_correlation, rank_correlation, rank_correlations
from .statistics.embedding import embedding
from .statistics.importance import importance, variance_explained
from .statistics.improvement import probability_of_improvement
from .statistics.power import seeds_needed
from .statistics.transfer import table_1, unsupervised_selection
from .statistics.udr import udr_scores
from .summary import exemplars, score_table, training_curves
from .tables import Codes, representation, scores, trials

__all__ = [
    "Codes",
    "compare_with_paper",
    "dataset_correlation",
    "differences",
    "embedding",
    "exemplars",
    "export",
    "figure_1",
    "figure_2",
    "figure_3",
    "figure_4",
    "figure_4_datasets",
    "figure_5",
    "figure_6",
    "filled",
    "fingerprints",
    "importance",
    "probability_of_improvement",
    "published",
    "rank_correlation",
    "rank_correlations",
    "representation",
    "score_table",
    "scores",
    "seeds_needed",
    "table_1",
    "training_curves",
    "trials",
    "udr_scores",
    "unsupervised_selection",
    "variance_explained",
    "with_unsupervised_of_samples",
    "write_report",
]
