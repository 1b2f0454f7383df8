"""The components of the models' bounds: ELBO surgery and the multi-sample bound."""

from ...words import format_count
from ..summary import score_table
from ..tables import split_by
from . import elements
from .parts import Report, Shown, keep_present, section

SCORES = [
    *("importance_bound_bound", "importance_bound_elbo", "elbo_surgery_reconstruction"),
    *("elbo_surgery_kl", "elbo_surgery_mutual_information", "elbo_surgery_marginal_kl"),
    "elbo_surgery_active_units",
]

WORDS = (
    "In nats, mean ± standard deviation over seeds. The mean KL of an image's posterior from the "
    "prior is the sum of two terms (Hoffman and Johnson 2016). One is the mutual information of an "
    "image's index and its code, at most the logarithm of the number of images. The other is the "
    "marginal KL, of the aggregate posterior from the prior. The bound with many samples is closer "
    "to the log likelihood than the ELBO, which uses one sample (Burda et al. 2016). A latent is "
    "active if its posterior mean varies by more than .01 over the images."
)


@section("bound", "Where the bound comes from")
def make_section(report: Report) -> Shown:
    """The components of the bound by setting; None if no model has these scores."""
    found = keep_present(report.trained, SCORES)
    if not found:
        return None
    shown = []
    for dataset, rows in split_by(report.trained, "dataset").items():
        cells = score_table(rows, found, ["dataset", "method", "setting"], report.names)
        caption = f"{report.names.label(dataset)}: {format_count(len(rows), 'model')}."
        shown += [
            elements.score_table(f"bound-{dataset}", cells, report.names),
            elements.text(caption, "note"),
        ]
    return [elements.text(WORDS, "reading spread"), *shown]
