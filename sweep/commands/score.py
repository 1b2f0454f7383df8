"""`teasel score`: scores codes, an encoder or a model from outside any study."""

import argparse
import hashlib
import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...datasets import DATASETS, Dataset, Factor
from ...datasets.combinations import what_is_offered
from ...errors import TeaselError, UnknownNameError, hint
from ...metrics import METRICS, PAPER_PARAMETERS, is_enough
from ...models import METHODS, TrainedModel
from ...storage import replace_file
from ..grid.grid import load_grid
from ..grid.source import read_yaml
from ..store.tables import Scored, ScoreRow, score_column, to_table
from ..trials.data import find_definition
from ..trials.request import MetricRequest
from ..trials.trial import DataFile
from ..work.encoding import fixed_points
from ..work.representations import GivenPoints, KeptPoints, ModelOnData, represent
from ..work.score import score_rows
from .command_line import DONE, add_json, add_metrics, show, show_json

if TYPE_CHECKING:
    from pandas import DataFrame

Encoder = Callable[[np.ndarray], Any]
"""Images (B, H, W, C), float32 in [0, 1] -> codes (B, D), or (means, log variances)."""

_BATCH = 256


class ScoreError(TeaselError):
    """Something cannot be scored; the message says what was found and what was expected."""


class Subject(NamedTuple):
    """What is scored.

    Attributes:
        method: Its name in the table.
        mean: Codes of every image of the data set, (N, D).
        log_variance: Log variances of the same shape, or None.
        data: The data set. If codes were given without one, it holds their factors.
        alone: Whether codes were given without a data set.
        model: The trained model that gave the codes, if one did.
    """

    method: str
    mean: np.ndarray
    log_variance: np.ndarray | None
    data: Dataset
    alone: bool
    model: TrainedModel | None = None

    @property
    def scored(self) -> Scored:
        """A hash of the codes and the data set, and the data set's name, if it has one."""
        digest = hashlib.sha256(self.data.fingerprint.encode())
        for codes in (self.mean, self.log_variance):
            digest.update(b"" if codes is None else np.ascontiguousarray(codes).tobytes())
        return Scored(digest.hexdigest()[:16], "" if self.alone else self.data.name)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `teasel score`."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        help="an .npz with codes (N, D), factors (N, K) and optionally log_variances (N, D), or a "
        ".safetensors written by TrainedModel.save",
    )
    what.add_argument(
        "--encoder",
        metavar="MODULE:FUNCTION",
        help="a function to score instead: it takes images (B, H, W, C) in [0, 1] and returns "
        "codes (B, D), or means and log variances",
    )
    parser.add_argument(
        "--dataset",
        metavar="NAME",
        help="data set for an encoder or a model: a name, a file, or an entry as in a grid, e.g. "
        "'{name: mine, file: mine.npz}'",
    )
    add_metrics(parser, "metrics to compute (default: the paper's)")
    parser.add_argument("--name", metavar="NAME", help="name to show in the table")
    add_json(parser)
    parser.add_argument("--out", metavar="FILE", help="also write the scores to this .parquet")


def main(arguments: argparse.Namespace) -> int:
    """Computes the scores and shows them."""
    out = Path(arguments.out) if arguments.out else None
    if out and (out.suffix != ".parquet" or not out.parent.is_dir()):
        raise ScoreError(f"--out is {out}: expected a .parquet file in an existing folder")
    dataset, what = arguments.dataset, arguments.file
    if dataset and dataset.startswith("{"):
        dataset = read_yaml(dataset, "--dataset").value
    if arguments.encoder:
        what = _import_encoder(arguments.encoder)
    name = arguments.name or arguments.encoder or ""
    rows = _score(what, None, None, dataset, arguments.metrics, name)
    if out:
        try:
            with replace_file(out) as file:
                pq.write_table(rows, file)
        except OSError as error:
            raise ScoreError(f"{out} cannot be written: {error.strerror}") from error
    if arguments.json:
        show_json(rows.to_pylist())
    else:
        show(_tabulate(rows))
    return DONE


def score(
    what: "str | Path | np.ndarray | Encoder | TrainedModel",
    factors: np.ndarray | None = None,
    log_variances: np.ndarray | None = None,
    *,
    dataset: str | Path | Mapping[str, Any] | Dataset | None = None,
    metrics: Iterable[str] | None = None,
    name: str = "",
) -> "DataFrame":
    """Scores codes, an encoder or a model with the paper's parameters and seeds, outside any study.

    Args:
        what: Codes (N, D); or a function of images (B, H, W, C) in [0, 1] that returns codes
            (B, D), or means and log variances; or a trained model; or a file: an ``.npz`` with the
            arrays `codes`, `factors` and optionally `log_variances`, or a ``.safetensors`` written
            by `TrainedModel.save`.
        factors: Factors of the codes, (N, K): whole numbers, or floats for continuous factors.
        log_variances: Log variances of the codes, (N, D). With them, samples of the posterior are
            scored too.
        dataset: The data set for a function or a model: a name, a file, an entry as in a grid, or
            an open data set.
        metrics: Names; by default the paper's.
        name: The name in the column `method`.

    Returns:
        A row per score, with the columns `dataset` and `method` and those of a study's table
        `scores`. A score that cannot be computed has no `value`, and `error` says why.

    Raises:
        ScoreError: If something cannot be scored.
        UnknownNameError: If there is no such metric.
        ConfigError: If the data set is not known, or DataError if it cannot be opened.
        MetricError: If a metric has a bug.
    """
    return _score(what, factors, log_variances, dataset, metrics, name).to_pandas()


def _score(
    what: Any, factors: Any, log_variances: Any, dataset: Any, metrics: Any, name: str
) -> pa.Table:
    names = [metrics] if isinstance(metrics, str) else list(metrics or PAPER_PARAMETERS)
    for metric in names:
        if metric not in METRICS:
            raise UnknownNameError("metric", str(metric), METRICS)
    subject = _open(what, factors, log_variances, dataset, name)
    kinds = ["mean"] if subject.log_variance is None else ["mean", "sampled"]
    scored = subject.scored
    found = [row for kind in kinds for row in _score_kind(subject, scored, kind, names)]
    rows = to_table("scores", found)
    rows = rows.add_column(1, "dataset", pa.array([scored.dataset] * len(rows)))
    return rows.add_column(2, "method", pa.array([subject.method] * len(rows)))


def _score_kind(
    subject: Subject, scored: Scored, kind: str, names: Sequence[str]
) -> Iterable[ScoreRow]:
    """The rows of some metrics of one representation, "mean" or "sampled"."""
    data, num_points = subject.data, len(subject.data)
    offers = what_is_offered(data.factor_sizes, data.table)
    every = data.complete and num_points == math.prod(data.factor_sizes)  # as a data set's images
    drawn = GivenPoints if subject.alone and not every else None
    mean, log_variance = subject.mean, subject.log_variance if kind == "sampled" else None
    limit = num_points if drawn else None
    for name in dict.fromkeys(names):
        metric = METRICS[name]
        parameters = metric.defaults | PAPER_PARAMETERS.get(name, {})
        request = MetricRequest.of(kind, name, _limit(parameters, limit))
        reason = ""
        if not is_enough(offers, metric.needs):
            reason = f"it needs {metric.needs}, but there are {offers}"
            reason = reason.replace("are nothing", "are none")
        elif metric.of_model and subject.model is None:
            reason = "it needs a saved model, but only codes were given"
        if reason:
            yield ScoreRow.of(scored, request, "", error=reason)
            continue
        if metric.of_model:
            if kind != "mean":  # it is of the model, whatever its codes
                continue
            representation = _model_on_data(subject)
        elif metric.samples_points:
            representation = represent(mean, log_variance, data, [kind], drawn)[kind]
        else:
            points = fixed_points(data)
            noise = None if log_variance is None else log_variance[points]
            factors = data.factors(points)
            representation = KeptPoints(mean[points], noise, factors, data.factor_sizes)
        yield from score_rows(scored, representation, request)


def _model_on_data(subject: Subject) -> ModelOnData:
    model, table = cast(TrainedModel, subject.model), (subject.mean, subject.log_variance)
    return ModelOnData(lambda: model, subject.data, lambda: cast(Any, table))


def _limit(parameters: dict[str, Any], num_points: int | None) -> dict[str, Any]:
    """The parameters, limited to the points available, two thirds of them for training."""
    if num_points is None or "num_train" not in parameters:
        return parameters
    num_train, found = parameters["num_train"], {}
    several = isinstance(num_train, tuple | list)
    if "num_test" in parameters:
        spare = num_points - (max(num_train) if several else num_train)
        found["num_test"] = min(parameters["num_test"], max(spare, num_points // 3, 1))
        num_points -= found["num_test"]
    if several:
        found["num_train"] = tuple(s for s in num_train if s <= num_points) or (num_points,)
    else:
        found["num_train"] = min(num_train, num_points)
    return parameters | found


# What is scored


def _open(what: Any, factors: Any, log_variances: Any, dataset: Any, name: str) -> Subject:
    """The subject of the scores, with every image encoded."""
    is_array = not (isinstance(what, str | Path | TrainedModel) or callable(what))
    if not is_array and (factors is not None or log_variances is not None):
        raise ScoreError("factors and log_variances can only be given with an array of codes")
    if isinstance(what, str | Path):
        what, factors, log_variances, given = _read(Path(what))
        name = name or given
    elif factors is None and is_array:
        raise ScoreError("expected the factors (N, K) of the codes: none were given")
    if factors is not None:
        if dataset is not None:
            raise ScoreError("codes already have factors: expected no data set")
        return _given_codes(what, factors, log_variances, name or "codes")
    if dataset is None:
        raise ScoreError("an encoder or a model needs a data set (--dataset): none was given")
    data = _open_dataset(dataset)
    if not isinstance(what, TrainedModel):
        name = name or getattr(what, "__name__", "encoder")
        return Subject(name, *_encode(what, data, name), data, alone=False)
    if what.model.image_shape != data.image_shape:
        raise ScoreError(
            f"the model takes images {what.model.image_shape}: {data.name} has {data.image_shape}"
        )
    codes = what.encode_all(data.observe, data.device_data(), len(data))
    return Subject(name or what.entry.name, *codes, data, alone=False, model=what)


def _read(path: Path) -> tuple[Any, Any, Any, str]:
    """Reads a model, or codes with factors and log variances; also returns its name."""
    if path.suffix == ".safetensors":
        try:
            return TrainedModel.load(path, METHODS), None, None, path.stem
        except (OSError, ValueError) as error:
            raise ScoreError(_say(path, error)) from error
    if path.suffix != ".npz":
        raise ScoreError(
            f"{path}: expected an .npz with codes and factors, or a .safetensors model"
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {
                key: file[key] for key in ("codes", "factors", "log_variances") if key in file
            }
            lacking = [key for key in ("codes", "factors") if key not in file]
            there = ", ".join(file) or "nothing"
    except Exception as error:  # a damaged archive raises whatever it likes
        raise ScoreError(_say(path, error)) from error
    if lacking:
        raise ScoreError(f"{path} has no array {' and no array '.join(lacking)}; it has {there}")
    return arrays["codes"], arrays["factors"], arrays.get("log_variances"), path.stem


def _say(path: Path, error: Exception) -> str:
    """A sentence that says why a file cannot be read, with its path."""
    reason = getattr(error, "strerror", None) or str(error)
    return reason if str(path) in reason else f"{path} cannot be read: {reason}"


def _given_codes(codes: Any, factors: Any, log_variances: Any, name: str) -> Subject:
    codes, factors = _numbers("codes", codes), _numbers("factors", factors)
    if len(codes) != len(factors) or len(codes) < 2:
        raise ScoreError(
            f"there are {len(codes):,} codes and {len(factors):,} rows of factors: expected equal "
            "numbers, at least 2"
        )
    if log_variances is not None:
        log_variances = _numbers("log_variances", log_variances)
        if log_variances.shape != codes.shape:
            raise ScoreError(
                f"log_variances have shape {log_variances.shape}: expected {codes.shape} as codes"
            )
    if not np.isfinite(factors).all():
        raise ScoreError("some factors are NaN or infinite: expected finite numbers")
    values = [np.unique(column, return_inverse=True) for column in factors.T]
    whole = [bool((found == np.round(found)).all()) for found, _ in values]
    columns = [
        ranks if discrete else column
        for (_, ranks), column, discrete in zip(values, factors.T, whole, strict=True)
    ]
    data = Dataset(
        name,
        tuple(Factor(f"factor_{place}", len(found)) for place, (found, _) in enumerate(values)),
        store=codes,
        image_shape=(1, 1, codes.shape[1]),
        source="",
        fingerprint=hashlib.sha256(np.ascontiguousarray(factors).tobytes()).hexdigest(),
        table=np.stack(columns, axis=1).astype(np.int64 if all(whole) else np.float64),
    )
    return Subject(name, codes, log_variances, data, alone=True)


def _numbers(what: str, given: Any) -> np.ndarray:
    """An array (N, D) of floats."""
    try:
        array = np.asarray(given)
    except Exception as error:  # of a foreign array, or of lists of several lengths
        raise ScoreError(f"{what} cannot be made an array: {error}") from error
    if array.ndim != 2 or 0 in array.shape or array.dtype.kind not in "fiub":
        raise ScoreError(
            f"{what} are {array.dtype} of shape {array.shape}: expected real numbers with two axes"
        )
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def _open_dataset(given: Any) -> Dataset:
    if isinstance(given, Dataset):
        return given
    entry = given
    if not isinstance(given, Mapping):
        if str(given) not in DATASETS and not Path(given).exists():
            raise UnknownNameError("data set or file", str(given), DATASETS)
        is_file = str(given) not in DATASETS
        entry = {"name": Path(given).stem, "file": str(given)} if is_file else {"name": str(given)}
    asked = {"study": "score", "datasets": [entry], "seeds": 1, "methods": {"pca": {}}}
    (found,) = load_grid(asked)[0].datasets
    return find_definition(found.name, DataFile.of(found.model_dump()), None)()


def _import_encoder(text: str) -> Encoder:
    """The function named by ``module:function``; the module may be in the current folder."""
    module_name, _, attribute = text.partition(":")
    if not module_name or not attribute:
        raise ScoreError(f"--encoder is {text}: expected MODULE:FUNCTION")
    sys.path.insert(0, os.getcwd())
    try:
        module = import_module(module_name)
    except (Exception, SystemExit) as error:
        raise ScoreError(f"--encoder: {module_name} cannot be imported: {error!r}") from error
    finally:
        sys.path.remove(os.getcwd())
    names = [name for name, value in vars(module).items() if callable(value)]
    if attribute not in names:
        raise ScoreError(
            f"--encoder: {module_name} has no function {attribute}{hint(attribute, names)}"
        )
    return getattr(module, attribute)


def _encode(encode: Encoder, data: Dataset, name: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Encodes every image: means (N, D), and log variances if the encoder returns them."""
    found: list[list[np.ndarray]] = []
    for first in range(0, len(data), _BATCH):
        images = data.images(np.arange(first, min(first + _BATCH, len(data))))
        try:
            given = encode(images)
        except (Exception, SystemExit) as error:
            raise ScoreError(f"{name} raised {type(error).__name__}: {error}") from error
        given = given if isinstance(given, tuple) else (given,)
        parts = [_numbers(f"codes of {name}", part) for part in given]
        first_parts = found[0] if found else parts
        wanted = [(len(images), first_parts[0].shape[1])] * len(first_parts) if parts else []
        if [part.shape for part in parts] != wanted or len(parts) not in (1, 2):
            shapes = " and ".join(str(part.shape) for part in parts) or "none"
            raise ScoreError(
                f"{name} gave arrays of shape {shapes} for {len(images)} images: expected codes "
                "(B, D), or means and log variances, with the same D in every batch"
            )
        found.append(parts)
    mean, *rest = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return mean, rest[0] if rest else None


def _tabulate(rows: pa.Table) -> str:
    """A table of the labelled scores by representation, and why others were not computed."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    lacking: dict[str, None] = {}
    for row in rows.to_pylist():
        metric, number = row["metric"], f"{row['num_points']:,}" if row["num_points"] else ""
        if row["error"]:
            lacking[f"not computed: {metric} ({row['representation']}): {row['error']}"] = None
        elif row["score"] in METRICS[metric].labels:
            line = found.setdefault((score_column(metric, row["score"]), number), {})
            line[row["representation"]] = f"{row['value']:.4f}"
    kinds = list(dict.fromkeys(rows["representation"].to_pylist()))
    width = max((len(name) for name, _ in found), default=0)
    lines = (
        ["".join([" " * width, *(f"{word:>10}" for word in (*kinds, "points"))])] if found else []
    )
    for (name, number), values in found.items():
        words = [*(values.get(kind, "") for kind in kinds), number]
        lines.append("".join([f"{name:{width}}", *(f"{word:>10}" for word in words)]))
    return "\n".join([*lines, *lacking])
