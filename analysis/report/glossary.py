"""The glossary: words on the page that a newcomer may not know, with their meanings."""

import re
from collections.abc import Iterable, Iterator

from markupsafe import Markup, escape
from pandas import DataFrame

from . import elements
from .elements import Element

MEANINGS = {
    "BetaVAE score": "How well a linear classifier identifies the factor that two images share, "
    "from the difference of their codes (Higgins et al. 2017).",
    "blind": "A choice without any information: a setting drawn at random.",
    "DCI": "Disentanglement, completeness and informativeness: how far each latent depends on one "
    "factor, each factor is captured by one latent, and codes predict factors (Eastwood and "
    "Williams 2018).",
    "downstream": "A task solved from the codes alone: here, to predict each factor's value.",
    "efficiency": "Accuracy with 100 labels divided by accuracy with 10,000.",
    "ELBO": "Evidence lower bound: what a variational autoencoder maximises; more is better.",
    "FactorVAE score": "How well a majority vote identifies the factor that was held fixed, from "
    "the latent that varies least (Kim and Mnih 2018).",
    "interval": "A range that contains the value for infinitely many seeds in 95 of 100 studies "
    "like this one.",
    "KL": "Kullback-Leibler divergence of an image's posterior from the prior: the information of "
    "a code about its image, in nats. It is a part of the loss.",
    "latent": "One of the numbers that form a code.",
    "mean representation": "An image's code is the mean of its posterior.",
    "MIG": "Mutual information gap: how much more information the best latent has about a factor "
    "than the second best, as a share of the factor's entropy (Chen et al. 2018).",
    "modularity": "How far each latent depends on one factor only (Ridgeway and Mozer 2018).",
    "nats": "Units of information with natural logarithms: 1 nat is 1.44 bits.",
    "omega squared": "The share of a score's variance that a cause explains, minus what it would "
    "explain by chance.",
    "pack": "Models that train together in one program.",
    "power": "The probability of detecting a difference that exists.",
    "probability of improvement": "How often a run of one method beats a run of another.",
    "rank correlation": "Spearman's: 100 % if two scores rank the models in the same order, 0 if "
    "neither says anything about the other.",
    "reference": "Codes that were not learned, such as those of untrained networks or PCA.",
    "regret": "How much of the best choice's gain over a blind choice is lost: 0 is best, 100 % is "
    "as good as blind, and more is worse than blind.",
    "sampled": "The sampled representation, in which an image's code is drawn from its posterior.",
    "SAP": "Separated attribute predictability: how much better the best latent predicts a factor "
    "than the second best (Kumar et al. 2018).",
    "seed": "The number that starts a random generator. Models that differ only in it show the "
    "effect of chance.",
    "setting": "A method with its hyper-parameters, without the seed.",
    "success": "How often a choice is at least as good as a random one.",
    "t-SNE": "A two-dimensional map that keeps similar codes close together.",
    "total correlation": "How much latents depend on one another: 0 if they are independent.",
    "traversal": "A row of images in which one latent changes and the others stay fixed.",
    "UDR": "Unsupervised disentanglement ranking: how similar the codes of a setting's seeds are "
    "(Duan et al. 2020).",
}
"""In alphabetical order. Words in lower case also match capitalized and in the plural."""


def _pattern(word: str) -> str:
    return f"(?i:{re.escape(word)}s?)" if word.islower() else re.escape(word)


_WORDS = re.compile(
    r"(?<![\w-])(?:"
    + "|".join(
        f"(?P<w{place}>{_pattern(word)})"
        for place, word in sorted(enumerate(MEANINGS), key=lambda pair: -len(pair[1]))
    )
    + r")(?![\w-])"
)


def _find(words: str) -> Iterator[tuple[re.Match, str]]:
    """The positions of explained words, and the words as in the glossary."""
    known = list(MEANINGS)
    for match in _WORDS.finditer(words):
        yield match, known[int(str(match.lastgroup)[1:])]


class Explainer:
    """Marks the first use of each word with its meaning; one instance per page."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def __call__(self, words: str) -> Markup:
        """The text as HTML."""
        parts, done = Markup(""), 0
        for match, word in _find(words):
            if word not in self._told:
                self._told.add(word)
                abbreviation = Markup('<abbr title="{}">{}</abbr>').format(MEANINGS[word], match[0])
                parts += escape(words[done : match.start()]) + abbreviation
                done = match.end()
        return parts + escape(words[done:])


def make_section(sections: Iterable[Element]) -> Element | None:
    """The section that explains the words used in these sections."""
    shown = [element for section in sections for element in elements.walk(section)]
    said = {words for element in shown for words in elements.read(element)}
    used = {word for words in said for _, word in _find(words)}
    rows = [(word[0].upper() + word[1:], MEANINGS[word]) for word in MEANINGS if word in used]
    if not rows:
        return None
    titles = {"word": "Word", "meaning": "Meaning"}
    table = elements.table("words-table", DataFrame(rows, columns=list(titles)), titles)
    return elements.section("words", "Words", table)
