"""`teasel score`: codes, an encoder or a model that no study has trained."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import teasel
from teasel.__main__ import main
from teasel.datasets import Dataset, find_file, hash_file
from teasel.metrics import (
    METRICS,
    PAPER_PARAMETERS,
    PAPER_SEEDS,
    Metric,
    Representation,
    Rng,
    UndefinedScoreError,
)
from teasel.sweep.commands.score import ScoreError, _limit
from teasel.sweep.store.results import Results
from teasel.sweep.store.tables import COLUMNS
from teasel.sweep.study.study import read_study
from teasel.sweep.trials.request import MetricRequest
from teasel.sweep.work.representations import (
    GivenPoints,
    model_on_data,
    open_representations,
    represent,
)
from teasel.sweep.work.score import score_rows
from teasel.tests.support.bad_grids import MERGED

FACTORS = np.stack(np.unravel_index(np.arange(64), (4, 4, 4)), axis=1)
QUICK = ["mig", "modularity", "sap", "unsupervised"]
PAGE = (Path(__file__).parents[3] / "docs" / "score.md").read_text()


def encode(images: np.ndarray) -> np.ndarray:
    """Where the square is, and how bright."""
    rows, columns = images.max(axis=(2, 3)), images.max(axis=(1, 3))
    which = [rows.argmax(axis=1), columns.argmax(axis=1), images.max(axis=(1, 2, 3))]
    return np.stack(which, axis=1).astype(np.float32)


@pytest.fixture
def squares(grid_file: Path) -> str:
    """The file of the small data set, prepared."""
    file = grid_file.with_name("squares.npz")
    find_file("squares", [str(file)], hash_file(file))()
    return str(file)


@pytest.fixture
def codes_file(tmp_path: Path) -> Callable[..., str]:
    """Writes an .npz; by default of the true factors as codes."""

    def write(**arrays: Any) -> str:
        np.savez(tmp_path / "codes.npz", **({"codes": FACTORS, "factors": FACTORS} | arrays))
        return str(tmp_path / "codes.npz")

    return write


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """The exit code, what was printed, and the errors."""
    code = main(["score", *words])
    return code, *capsys.readouterr()


def test_an_encoder_and_its_codes_have_the_same_scores(squares: str) -> None:
    """As the codes are of all images; the encoder's are float32, which the factors fit in."""
    by_encoder = teasel.score(encode, dataset=squares, metrics=QUICK)
    with np.load(squares) as file:
        images, factors = file["images"][..., None] / np.float32(255), file["factors"]
    by_codes = teasel.score(encode(images), factors, metrics=QUICK)
    assert by_encoder["value"].tolist() == by_codes["value"].tolist()
    assert by_encoder["value"].notna().all()
    values = by_encoder.set_index("score")["value"]
    assert values["mig"] > 0.99
    assert set(COLUMNS["scores"]) | {"dataset", "method"} == set(by_encoder)
    assert (by_encoder["dataset"] == "squares").all()
    assert (by_encoder["method"] == "encode").all()


@pytest.mark.slow
def test_a_saved_model_has_the_scores_that_a_study_gives_it(
    finished: Results, squares: str, tmp_path: Path
) -> None:
    trial = read_study(finished).wanted_trials()[0].trial
    finished.model(trial.trial_id).save(tmp_path / "model.safetensors")
    found = teasel.score(tmp_path / "model.safetensors", dataset=squares, metrics=["mig", "irs"])
    opened = open_representations(finished, trial, {"mean", "sampled"})
    for kind, rows in found.groupby("representation"):
        for name in ("mig", "irs"):
            request = MetricRequest.of(str(kind), name, METRICS[name].defaults)
            (wanted, *_) = score_rows(trial, opened[str(kind)], request)
            row = rows.set_index(["metric", "score"]).loc[name, wanted.score]
            same = ("value", "metric_seed", "parameters", "parameters_hash", "metric_version")
            assert [row[each] for each in same] == [getattr(wanted, each) for each in same]
    assert set(found["representation"]) == {"mean", "sampled"}
    model = finished.model(trial.trial_id)
    rows = teasel.score(model, dataset=squares, metrics=["elbo_surgery", "importance_bound"])
    wanted = score_rows(
        trial,
        model_on_data(finished, trial),
        MetricRequest.of("mean", "elbo_surgery", METRICS["elbo_surgery"].defaults),
    )
    found = dict(zip(rows["score"], rows["value"], strict=True))
    assert {row.score: row.value for row in wanted}.items() <= found.items()
    assert found["bound"] > found["elbo"]
    assert set(rows["representation"]) == {"mean"}


def test_scores_of_the_bound_need_a_model() -> None:
    rows = teasel.score(FACTORS, FACTORS, metrics=["elbo_surgery", "importance_bound"])
    assert set(rows["error"]) == {"it needs a saved model, but only codes were given"}


def test_the_command_prints_a_table_and_writes_what_python_gives(
    codes_file: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = codes_file(log_variances=np.full((64, 3), -4.0)), tmp_path / "scores.parquet"
    code, text, _ = run(capsys, file, "--metrics", "mig", "--out", str(out), "--name", "mine")
    lines = [line.split() for line in text.splitlines()]
    assert (code, lines[0]) == (0, ["mean", "sampled", "points"])
    assert [lines[1][0], lines[1][-1], len(lines)] == ["mig", "10,000", 2]
    written = pq.read_table(out).to_pandas()
    again = teasel.score(file, metrics="mig", name="mine")
    pd.testing.assert_frame_equal(written.drop(columns="seconds"), again.drop(columns="seconds"))
    code, text, _ = run(capsys, file, "--metrics", "mig,modularity", "--json")
    (row, *others) = json.loads(text)
    assert [each["metric"] for each in others] == ["modularity", "mig", "modularity"]
    assert (row["score"], row["value"], row["metric_seed"]) == (
        "mig",
        pytest.approx(1.0, abs=0.01),
        PAPER_SEEDS["mean"]["mig"],
    )


def test_json_is_all_that_is_printed(
    squares: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Though a data set is prepared first, and says so."""
    monkeypatch.setenv("TEASEL_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("teasel.sweep.commands.score._import_encoder", lambda _: encode)
    code, text, _ = run(
        capsys, "--encoder", "a:b", "--dataset", squares, "--metrics", "mig", "--json"
    )
    assert (code, len(json.loads(text))) == (0, 1)
    assert list(tmp_path.iterdir())


def test_what_the_factors_do_not_allow_is_named_with_the_reason(
    codes_file: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    few = {"codes": FACTORS[:50], "factors": FACTORS[:50]}
    code, text, _ = run(capsys, codes_file(**few), "--metrics", "beta_vae_score", "mig")
    assert code == 0
    assert "beta_vae_score (mean): it needs all combinations, but there are discrete" in text
    assert text.splitlines()[1].split()[::2] == ["mig", "50"]
    metrics = [*QUICK, "explicitness"]
    rows = teasel.score(FACTORS / 3, FACTORS / 8, metrics=metrics).set_index("metric")
    assert rows.loc["explicitness", "error"] == "it needs discrete factors, but there are factors"
    assert rows.loc["unsupervised", "value"].notna().all()


@pytest.mark.slow
def test_points_that_cover_all_combinations_have_every_score() -> None:
    """Some combinations twice, so that each point is drawn once."""
    factors = np.concatenate([FACTORS, FACTORS[:10]])
    rows = teasel.score(factors, factors, metrics=[*PAPER_PARAMETERS, "irs"]).set_index("metric")
    assert rows["error"].isna().all()
    assert rows.loc["mig", "num_points"] == 74
    assert rows.set_index("score").loc["factor_vae_score", "value"] > 0.95


def test_the_parameters_and_seeds_are_the_papers() -> None:
    for name, own in PAPER_PARAMETERS.items():
        parameters = METRICS[name].defaults | own
        assert _limit(parameters, None) == parameters
        assert _limit(parameters, 15_000) == parameters


def test_with_fewer_points_a_third_is_to_test_on_and_none_is_in_both() -> None:
    limited = _limit(METRICS["downstream_lr"].defaults, 300)
    assert (limited["num_train"], limited["num_test"]) == ((10, 100), 100)
    assert _limit({"num_train": 10_000}, 300) == {"num_train": 300}
    places = np.arange(300)[:, None]
    data = Dataset("", (), places, (1, 1, 1), "", "", table=places)
    (points,) = represent(places, None, data, ["mean"], GivenPoints).values()
    rng, before = np.random.RandomState(0), np.arange(0)
    for num in (10, 100, 100, 100, 200, 100):
        drawn = points.sample(rng, num)[0][:, 0]
        assert len(np.unique(drawn)) == num
        assert not np.isin(drawn, before).any()
        before = drawn
    with pytest.raises(UndefinedScoreError, match="250 points beside 100 others, and 300"):
        points.sample(rng, 250)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"factors": FACTORS[1:]}, "there are 64 codes and 63 rows of factors: expected equal"),
        ({"codes": FACTORS[:1], "factors": FACTORS[:1]}, "equal numbers, at least 2"),
        ({"codes": FACTORS.astype(str)}, "codes are <U21 of shape (64, 3): expected real numbers"),
        ({"factors": FACTORS[:, 0]}, "factors are int64 of shape (64,): expected real numbers"),
        ({"factors": FACTORS / np.nan}, "some factors are NaN or infinite"),
        ({"log_variances": FACTORS[:, :2]}, "log_variances have shape (64, 2)"),
        ({"codes": np.array([{}] * 64)}, "Object arrays cannot be loaded"),
    ],
)
def test_arrays_that_cannot_be_scored_are_a_sentence_and_exit_code_2(
    codes_file: Callable[..., str],
    arrays: dict[str, Any],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "scores.parquet"
    code, text, error = run(capsys, codes_file(**arrays), "--out", str(out))
    assert (code, text, error.count("\n"), out.exists()) == (2, "", 1, False)
    assert message in error


@pytest.mark.parametrize(
    "codes",
    [
        np.where(FACTORS == 3, np.nan, FACTORS),
        np.where(FACTORS == 3, np.inf, FACTORS),
        np.zeros((64, 3)),
        FACTORS[:, :1],
    ],
    ids=["nan", "infinity", "one value", "one latent"],
)
def test_odd_codes_have_a_score_or_a_reason(codes: np.ndarray) -> None:
    for factors in (FACTORS, FACTORS * [1, 0, 0], np.zeros_like(FACTORS)):
        rows = teasel.score(codes, factors, metrics=["mig", "unsupervised"])
        assert (rows["value"].notna() != rows["error"].notna()).all()
        if not np.isfinite(codes).all():
            assert rows["error"].str.contains("must be finite").all()


@pytest.mark.parametrize(
    ("num", "names"),
    [
        *((num, QUICK) for num in (2, 5)),
        # Compiles the trees and the classifiers.
        *(pytest.param(num, [*PAPER_PARAMETERS], marks=pytest.mark.slow) for num in (2, 5)),
    ],
)
def test_a_few_points_have_a_score_or_a_reason(num: int, names: list[str]) -> None:
    rows = teasel.score(FACTORS[:num], FACTORS[:num], metrics=names)
    assert list(rows["metric"].unique()) == names
    assert (rows["value"].notna() != rows["error"].notna()).all()


MODULE = """\
import numpy as np
def encode(images): return images.mean(axis=(1, 2))
def flat(images): return images.mean(axis=(1, 2, 3))
def ragged(images): return np.zeros((len(images) - 1, 2))
def uneven(images): return np.zeros((len(images), 2)), np.zeros((len(images), 3))
def triple(images): return (np.zeros((len(images), 2)),) * 3
def nothing(images): return ()
def broken(images): return images.nothing
number = 3
"""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("mine:flat --dataset {}", "codes of mine:flat are float32 of shape (64,)"),
        ("mine:ragged --dataset {}", "gave arrays of shape (63, 2) for 64 images: expected"),
        ("mine:uneven --dataset {}", "gave arrays of shape (64, 2) and (64, 3) for 64 images"),
        ("mine:triple --dataset {}", "gave arrays of shape (64, 2) and (64, 2) and (64, 2)"),
        ("mine:nothing --dataset {}", "gave arrays of shape none for 64 images"),
        ("mine:broken --dataset {}", "mine:broken raised AttributeError: 'numpy.ndarray' object"),
        ("mine:encoed --dataset {}", "mine has no function encoed (did you mean 'encode'?)"),
        ("mine:number --dataset {}", "mine has no function number"),
        ("nowhere:encode --dataset {}", "nowhere cannot be imported: ModuleNotFoundError"),
        ("mine --dataset {}", "--encoder is mine: expected MODULE:FUNCTION"),
        ("mine:encode", "needs a data set (--dataset): none was given"),
        ("mine:encode --dataset dsprits", "'dsprits' (did you mean 'dsprites'?)"),
        ("mine:encode --dataset {{name:", "--dataset:1:7: not YAML: expected the node content"),
        ("mine:encode --dataset {} --metrics migg", "unknown metric 'migg' (did you mean 'mig'?)"),
        ("mine:encode --dataset {} --out nowhere/scores.parquet", "in an existing folder"),
        ("mine:encode --dataset {} --out scores.csv", "expected a .parquet file"),
        ("mine:encode --dataset mine.py", "mine.py"),
    ],
)
def test_an_encoder_that_cannot_be_scored_is_a_sentence_and_exit_code_2(
    words: str,
    message: str,
    squares: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "mine.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "mine", raising=False)
    code, text, error = run(capsys, "--encoder", *words.format(squares).split())
    assert (code, text, error.count("\n")) == (2, "", 1)
    assert message in error


def test_a_file_that_is_neither_is_a_sentence_and_exit_code_2(
    squares: str, codes_file: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.npz").write_bytes(b"not a zip")
    (tmp_path / "broken.safetensors").write_bytes(b"not tensors")
    for words, message in (
        ([squares], "has no array codes; it has images, factors"),
        ([str(tmp_path / "broken.npz")], "broken.npz cannot be read: "),
        ([str(tmp_path / "gone.npz")], "gone.npz cannot be read: No such file or directory"),
        (
            [str(tmp_path / "a.txt")],
            "a.txt: expected an .npz with codes and factors, or a .safeten",
        ),
        ([str(tmp_path / "gone.safetensors"), "--dataset", squares], "No such file"),
        ([str(tmp_path / "broken.safetensors"), "--dataset", squares], "is not a model written by"),
        ([codes_file(), "--dataset", squares], "codes already have factors: expected no data set"),
    ):
        code, text, error = run(capsys, *words)
        assert (code, text, error.count("\n")) == (2, "", 1), error
        assert message in error


def test_a_model_of_other_images_is_refused(finished: Results, tmp_path: Path) -> None:
    (trial_id, *_) = finished.statuses()
    model = finished.model(trial_id)
    np.savez(tmp_path / "small.npz", images=np.eye(32, dtype=np.uint8)[None].repeat(4, axis=0))
    with pytest.raises(ScoreError, match=r"images \(64, 64, 1\): small has \(32, 32, 1\)"):
        teasel.score(model, dataset={"name": "small", "file": str(tmp_path / "small.npz")})
    with pytest.raises(ScoreError, match="none were given"):
        teasel.score(FACTORS)
    with pytest.raises(ScoreError, match="only be given with an array of codes"):
        teasel.score(model, FACTORS)


def test_the_page_does_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "results").mkdir()
    study = Path(__file__).parents[2] / "data" / "quickstart"
    (tmp_path / "results" / "quickstart").symlink_to(study)
    monkeypatch.chdir(tmp_path)
    known: dict[str, Any] = {"codes": FACTORS, "factors": FACTORS}
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(code, known)
    printed = capsys.readouterr().out
    places = [printed.index(method) for method in ("beta_tc_vae", "mine", "untrained")]
    assert places == sorted(places)
    assert "NaN" not in printed[places[1] : places[2]]
    assert set(known["table"]["metric"]) == {"mig", "modularity"}


def test_a_metric_of_kept_points_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def score_kept(representation: Representation, rng: Rng) -> dict[str, float]:
        codes, factors = representation.sample(rng, 15_000)
        return {"differ": float((codes != factors).any(axis=1).mean())}

    kept = Metric(score_kept, "", samples_points=False, needs="factors", labels={"differ": "it"})
    monkeypatch.setitem(METRICS.own, "kept", kept)
    rows = teasel.score(FACTORS, FACTORS, np.zeros((64, 3)), metrics="kept")
    assert rows.set_index("representation")["value"].to_dict() == {"mean": 0.0, "sampled": 1.0}


@pytest.mark.parametrize(
    "words", ["score --encoder mine:encode --dataset", "top here --metric mig --parameters"]
)
def test_yaml_of_the_command_line_is_bounded_like_a_grid(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    laughs = "{" + MERGED.rstrip().replace("\n", ", ") + "}"
    try:
        code: Any = main([*words.split(), laughs])
    except SystemExit as error:  # of an argument
        code = error.code
    assert code == 2
    said = capsys.readouterr().err
    assert "more than 100,000 values" in said or "expected parameters such as" in said
