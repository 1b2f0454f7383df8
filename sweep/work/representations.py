"""Representations of a trained trial for metrics: codes of images with given factors."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ...datasets import Dataset
from ...metrics import (
    Representation,
    Rng,
    TableRepresentation,
    UndefinedScoreError,
    sample_integers,
)
from ...metrics.representation import DrawnInTurns
from ..store import code_tables
from ..store.results import ParametersError, Results, ResultsError
from ..trials.data import definition
from ..trials.references import REFERENCES, Encode, encoder_of
from ..trials.trial import Trial

if TYPE_CHECKING:
    from ...models import TrainedModel
    from ...models.trained import LogTerms


class ComputedRepresentation(DrawnInTurns):
    """Codes computed on demand, for references without a table of codes.

    Args:
        dataset: The data set of the images.
        encode: Image indices (N,) to codes (N, D).
    """

    def __init__(self, dataset: Dataset, encode: Encode) -> None:
        self.factor_sizes = dataset.factor_sizes
        indices_of = dataset.sample_indices if dataset.complete else _same
        self._observe = lambda factors, rng: encode(indices_of(factors, rng))

    def _codes(self, seen: np.ndarray, rng: Rng) -> np.ndarray:
        return seen


class DrawnImages:
    """Sampled images of a data set that lacks some combinations of factors.

    Args:
        dataset: The data set of the images.
        by_index: Returns the codes (N, D) of images from their indices (N,) in place of factors.
    """

    def __init__(self, dataset: Dataset, by_index: Representation) -> None:
        self.factor_sizes = dataset.factor_sizes
        self._dataset, self._by_index = dataset, by_index

    def sample(self, rng: Rng, num: int) -> tuple[np.ndarray, np.ndarray]:
        """Codes (num, D) and factors (num, K) of uniformly sampled images."""
        which = sample_integers(rng, len(self._dataset), num)
        return self._by_index.encode(which, rng), self._dataset.factors(which)

    def encode(self, factors: np.ndarray, rng: Rng) -> np.ndarray:
        """Codes (N, D) of images with these factors; ValueError for factors without an image."""
        return self._by_index.encode(self._dataset.sample_indices(factors, rng), rng)


class GivenPoints(DrawnImages):
    """Sampled points of given codes, without repetition within or between two successive samples.

    Training and test points thus never overlap.
    """

    _left = _last = np.arange(0)

    def sample(self, rng: Rng, num: int) -> tuple[np.ndarray, np.ndarray]:
        """Codes (num, D) and factors (num, K); UndefinedScoreError if there are too few points."""
        if num > len(self._left):
            self._left = np.setdiff1d(np.arange(len(self._dataset)), self._last)
        if num > len(self._left):
            raise UndefinedScoreError(
                f"it needs {num:,} points beside {len(self._last):,} others, and "
                f"{len(self._dataset):,} are given"
            )
        order = rng.permutation(self._left)
        self._last, self._left = order[:num], order[num:]
        return self._by_index.encode(self._last, rng), self._dataset.factors(self._last)


def _same(which: np.ndarray, rng: Rng) -> np.ndarray:
    """The given image indices (N,), which are used in place of factors."""
    return which


class KeptPoints:
    """The codes saved for every model, point by point, for metrics that sample none.

    Args:
        mean: Posterior means (N, D).
        log_variance: Posterior log variances (N, D); if None, the codes are the means.
        factors: Factors (N, K).
        factor_sizes: The number of values of each factor.
    """

    def __init__(
        self,
        mean: np.ndarray,
        log_variance: np.ndarray | None,
        factors: np.ndarray,
        factor_sizes: tuple[int, ...],
    ) -> None:
        self.factor_sizes = factor_sizes
        self._table = TableRepresentation(mean, log_variance, factor_sizes, _same)
        self._factors = factors
        self._given = 0

    def sample(self, rng: Rng, num: int) -> tuple[np.ndarray, np.ndarray]:
        """Codes (num, D) and factors (num, K) of the next `num` points."""
        which = np.arange(self._given, self._given + num)
        if which[-1] >= len(self._factors):
            raise ValueError(
                f"requests {which[-1] + 1:,} points, but {len(self._factors):,} are saved"
            )
        self._given += num
        return self._table.encode(which, rng), self._factors[which]

    def encode(self, factors: np.ndarray, rng: Rng) -> np.ndarray:
        """Raises an error, because only the fixed points have codes here."""
        raise ValueError(
            "requests its own images, but its catalogue entry says samples_points=False"
        )


def kept_points(results: Results, trial: Trial, kind: str) -> Representation:
    """The saved codes of a trained trial, "mean" or "sampled"."""
    mean, log_variance, factors = results.representation(trial.trial_id)
    sizes = definition(trial)().factor_sizes
    return KeptPoints(mean, log_variance if kind == "sampled" else None, factors, sizes)


def open_representations(
    results: Results, trial: Trial, kinds: set[str]
) -> dict[str, Representation]:
    """The representations of a trained trial in `kinds`, of "mean" and "sampled".

    Raises:
        ResultsError: If neither its codes nor its parameters were saved.
    """
    if not kinds:
        return {}
    dataset = definition(trial)()
    if trial.method not in REFERENCES:
        return represent(*code_table(results, trial, dataset), dataset, kinds)
    by_index = ComputedRepresentation(dataset, encoder_of(trial, dataset))
    return {"mean": by_index if dataset.complete else DrawnImages(dataset, by_index)}


def represent(
    mean: np.ndarray,
    log_variance: np.ndarray | None,
    dataset: Dataset,
    kinds: Iterable[str],
    drawn: "type[DrawnImages] | None" = None,
) -> dict[str, Representation]:
    """The representations in `kinds`, from the codes of every image.

    Args:
        mean: Posterior means (images, D).
        log_variance: Posterior log variances (images, D), which only "sampled" needs.
        dataset: The data set of the images.
        kinds: Some of "mean" and "sampled".
        drawn: How to sample points. By default factors are sampled, or images if some combinations
            of factors have none.
    """
    drawn = drawn or (None if dataset.complete else DrawnImages)
    indices_of = dataset.sample_indices if drawn is None else _same
    found = {
        kind: TableRepresentation(
            mean, log_variance if kind == "sampled" else None, dataset.factor_sizes, indices_of
        )
        for kind in kinds
    }
    return {kind: drawn(dataset, each) if drawn else each for kind, each in found.items()}


def code_table(results: Results, trial: Trial, dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """The mean and log variance of all images, saved since training or computed again."""
    kept = code_tables.load(results, trial.trial_id)
    if kept is not None:
        return kept
    import jax

    data = jax.device_put(dataset.device_data())
    model = stored_model(results, trial, dataset.image_shape)
    return model.encode_all(dataset.observe, data, len(dataset))


@dataclass
class ModelOnData:
    """A trained model and its data set, for metrics of its bound.

    Args:
        open_model: Returns the model when a metric needs it; may raise UndefinedScoreError.
        dataset: The data set to evaluate on.
        open_table: Returns the means and log variances, (N, D) each, of all images.
    """

    open_model: Callable[[], "TrainedModel"]
    dataset: Dataset
    open_table: Callable[[], tuple[np.ndarray, np.ndarray]]

    @property
    def num_images(self) -> int:
        """The number of images in the data set."""
        return len(self.dataset)

    @property
    def has_analytic_kl(self) -> bool:
        """Whether the KL is from diagonal normals to the standard normal."""
        return self._model.model.has_analytic_kl

    def posteriors(self) -> tuple[np.ndarray, np.ndarray]:
        """Means and log variances, (N, D) each, of all images."""
        posterior = self._model.model.posterior
        if posterior != "diagonal":
            raise UndefinedScoreError(f"the posterior is {posterior}, not a diagonal normal")
        return self.open_table()

    def log_terms(self, indices: np.ndarray, num: int, seed: int) -> "LogTerms":
        """The terms of the bound for some images (M,), with `num` codes of each."""
        return self._model.log_terms(self.dataset.images(indices), num, seed)

    @cached_property
    def _model(self) -> "TrainedModel":
        model = self.open_model()
        if not model.has_bound:
            what = f"{model.entry.name} with likelihood {model.model.likelihood}"
            raise UndefinedScoreError(f"{what} has no bound on the log likelihood")
        return model


def model_on_data(results: Results, trial: Trial) -> ModelOnData:
    """A trained trial and its data set, for metrics of its bound."""
    dataset = definition(trial)()

    def open_model() -> "TrainedModel":
        if trial.method in REFERENCES:
            raise UndefinedScoreError(f"{trial.method} is a reference, and has no bound")
        try:
            return stored_model(results, trial, dataset.image_shape)
        except ParametersError as error:
            raise UndefinedScoreError(str(error)) from error

    return ModelOnData(open_model, dataset, lambda: code_table(results, trial, dataset))


def stored_model(results: Results, trial: Trial, image_shape: tuple[int, ...]) -> "TrainedModel":
    """The trained model of a trial.

    Raises:
        ResultsError: If its parameters were not saved, or its method is not installed.
    """
    from ...models import METHODS, Model, TrainedModel

    if trial.method not in METHODS:
        raise ResultsError(f"the method {trial.method}, which its model needs, is not installed")
    parameters, _ = results.parameters(trial.trial_id)
    model = Model.of(trial.training, image_shape)
    method = METHODS[trial.method]
    return TrainedModel(method, trial.hyperparameters, model, parameters, trial.trial_id)
