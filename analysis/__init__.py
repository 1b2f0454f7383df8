"""Analysis: from a results folder to its tables, the paper's figures and a report.

Most functions take tables and return tables:

* `scores`, `trials` and `representation` read a results folder: pandas tables of scores and models,
  and a model's codes. `study_names` reads their labels.
* `figure_1` to `figure_6` and `table_1` return the tables behind those of Locatello et al. (2019).
  They use `rank_correlation`, `importance` and similar functions, which accept any study's table.
* `compare_with_paper` compares your numbers with the printed ones (`published_numbers`), and
  `compare_studies` compares two studies.
* `write_report` and `export` put everything on one page. `make_figure` plots one table with one of
  `plots.plots`, and `to_latex` writes it for a paper.
* `publish` makes a folder for publication from a results folder.

Most functions take wide scores (`scores(results, wide=True)`): a row per model, of one
representation, with the columns dataset, method, hyperparameter, hyperparameter_value, setting and
seed, and one for each score. The tables they return share these columns:

* dataset, method, setting, score, or row and column: the subject of an entry. The data set
  "average" is the average of the others.
* low, high: the 95 % interval for other seeds; NaN if there are too few.
* num_models: the number of models behind the entry.
* note: why a number or its interval is missing; otherwise empty.

All names are imported when they are first used: `scores` needs neither JAX nor matplotlib.
"""

from typing import TYPE_CHECKING

from ..lazy import attach

if TYPE_CHECKING:
    from .latex import to_latex as to_latex
    from .names import Names as Names
    from .paper.compare import compare_with_paper as compare_with_paper
    from .paper.figures import figure_1 as figure_1
    from .paper.figures import figure_2 as figure_2
    from .paper.figures import figure_3 as figure_3
    from .paper.figures import figure_4 as figure_4
    from .paper.figures import figure_4_datasets as figure_4_datasets
    from .paper.figures import figure_5 as figure_5
    from .paper.figures import figure_6 as figure_6
    from .paper.figures import with_unsupervised_of_samples as with_unsupervised_of_samples
    from .paper.published import differences_from_paper as differences_from_paper
    from .paper.published import paper_coverage as paper_coverage
    from .paper.published import published_numbers as published_numbers
    from .plots.style import make_figure as make_figure
    from .report.export import export as export
    from .report.page import write_report as write_report
    from .report.provenance import fingerprints as fingerprints
    from .report.publish import publish as publish
    from .statistics.comparison import compare_studies as compare_studies
    from .statistics.correlation import dataset_correlation as dataset_correlation
    from .statistics.correlation import rank_correlation as rank_correlation
    from .statistics.correlation import rank_correlations as rank_correlations
    from .statistics.effects import hyperparameter_importance as hyperparameter_importance
    from .statistics.effects import hyperparameter_means as hyperparameter_means
    from .statistics.embedding import embedding as embedding
    from .statistics.importance import importance as importance
    from .statistics.importance import variance_explained as variance_explained
    from .statistics.improvement import probability_of_improvement as probability_of_improvement
    from .statistics.points import rank_stability as rank_stability
    from .statistics.power import seeds_needed as seeds_needed
    from .statistics.standing import compare_settings as compare_settings
    from .statistics.standing import distance_from_untrained as distance_from_untrained
    from .statistics.transfer import rate_rules as rate_rules
    from .statistics.transfer import table_1 as table_1
    from .statistics.transfer import transfer_between_datasets as transfer_between_datasets
    from .statistics.transfer import unsupervised_selection as unsupervised_selection
    from .summary import accuracy_by_rank as accuracy_by_rank
    from .summary import exemplars as exemplars
    from .summary import score_table as score_table
    from .summary import training_curves as training_curves
    from .summary import winning_settings as winning_settings
    from .tables import Codes as Codes
    from .tables import representation as representation
    from .tables import scores as scores
    from .tables import study_names as study_names
    from .tables import trials as trials
else:
    __getattr__, __dir__, __all__ = attach(__name__)
