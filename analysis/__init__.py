"""From a results folder to the study's tables, figures and report.

`scores` and `trials` read a results folder as pandas tables; every other function takes such a
table and returns one, with the number of models behind each row; drawing stands apart, in
`drawing`. `write_report` puts it all on one static page.
"""

from .correlation import rank_correlation
from .published import differences, published
from .report import write_report
from .summary import exemplars, score_table, training_curves
from .tables import Codes, representation, scores, trials

__all__ = [
    "Codes",
    "differences",
    "exemplars",
    "published",
    "rank_correlation",
    "representation",
    "score_table",
    "scores",
    "training_curves",
    "trials",
    "write_report",
]
