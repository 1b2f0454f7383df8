"""The words of the page that a newcomer may not know, each with its meaning."""

import re
from collections.abc import Iterable, Iterator

from markupsafe import Markup, escape
from pandas import DataFrame

from . import elements
from .elements import Element

MEANINGS = {
    "BetaVAE score": "How well a linear classifier tells which factor two images share, from the "
    "difference of their codes (Higgins et al. 2017).",
    "blind": "A choice that looks at nothing: a setting drawn at random.",
    "DCI": "Disentanglement, completeness and informativeness: how far each latent serves one "
    "factor, each factor is served by one latent, and codes predict factors (Eastwood "
    "and Williams 2018).",
    "downstream": "A task solved from the codes alone: here, to tell each factor's value.",
    "efficiency": "Accuracy with 100 labels divided by accuracy with 10,000.",
    "ELBO": "Evidence lower bound: what a variational autoencoder maximises; more is better.",
    "FactorVAE score": "How well a majority vote tells which factor was held fixed, from the "
    "latent that varies least (Kim and Mnih 2018).",
    "interval": "A range that holds the number that endlessly many seeds would give, in 95 of 100 "
    "studies such as this.",
    "KL": "Kullback-Leibler divergence of an image's posterior from the prior: how much a code "
    "says of its image, in nats; it is a part of the loss.",
    "latent": "One of the numbers that make a code.",
    "mean representation": "An image's code is the mean of its posterior.",
    "MIG": "Mutual information gap: how much more the best latent tells of a factor than the "
    "second best, as a share of the factor's entropy (Chen et al. 2018).",
    "modularity": "How far each latent depends on one factor only (Ridgeway and Mozer 2018).",
    "nats": "Units of information, with logarithms to the base e: 1 nat is 1.44 bits.",
    "omega squared": "The share of a score's variance that something explains, less what it would "
    "explain by chance.",
    "pack": "Models that train together in one program.",
    "power": "The chance to find a difference that is there.",
    "probability of improvement": "How often a run of one method beats a run of another.",
    "rank correlation": "Spearman's: 100 % where two scores order the models alike, 0 where "
    "neither tells of the other.",
    "reference": "Codes that nobody learned, such as those of untrained networks or of PCA.",
    "regret": "The share of what the best choice would gain over a blind one that is lost: 0 is "
    "best, 100 % is as good as blind, and more is worse than blind.",
    "sampled": "Of the sampled representation: an image's code is drawn from its posterior.",
    "SAP": "Separated attribute predictability: how much better the best latent predicts a factor "
    "than the second best (Kumar et al. 2018).",
    "seed": "The number that random draws start from; models that differ in nothing else show what "
    "chance does.",
    "setting": "A method with its hyper-parameters; what seeds have in common.",
    "success": "How often a choice is at least as good as a random one.",
    "t-SNE": "A map on paper that keeps close codes close.",
    "total correlation": "How much latents depend on one another: 0 if they are independent.",
    "traversal": "A row of images: one latent moves and the others stay.",
    "UDR": "Unsupervised disentanglement ranking: how alike the codes of a setting's seeds are "
    "(Duan et al. 2020).",
}
"""In alphabetical order. What is written small here may begin a sentence or be a plural there."""


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
    """The places of explained words, and these as the glossary has them."""
    known = list(MEANINGS)
    for match in _WORDS.finditer(words):
        yield match, known[int(str(match.lastgroup)[1:])]


class Explainer:
    """Marks the first use of each word with its meaning; one for each page."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def __call__(self, words: str) -> Markup:
        """The words as HTML."""
        parts, done = Markup(""), 0
        for match, word in _find(words):
            if word not in self._told:
                self._told.add(word)
                abbreviation = Markup('<abbr title="{}">{}</abbr>').format(MEANINGS[word], match[0])
                parts += escape(words[done : match.start()]) + abbreviation
                done = match.end()
        return parts + escape(words[done:])


def make_section(sections: Iterable[Element]) -> Element | None:
    """The words that these sections use, and what they mean."""
    shown = [element for section in sections for element in elements.walk(section)]
    said = {words for element in shown for words in elements.read(element)}
    used = {word for words in said for _, word in _find(words)}
    rows = [(word[0].upper() + word[1:], MEANINGS[word]) for word in MEANINGS if word in used]
    if not rows:
        return None
    titles = {"word": "Word", "meaning": "Meaning"}
    table = elements.table("words-table", DataFrame(rows, columns=list(titles)), titles)
    return elements.section("words", "Words", table)
