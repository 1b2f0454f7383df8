"""Catalogues, and the entries that other packages add to them."""

import subprocess
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest

from teasel import TeaselError, catalogue
from teasel.catalogue import (
    LARGEST,
    REQUIRED,
    Bounds,
    Catalogue,
    Parameter,
    expect,
    read_parameters,
    round_to_float32,
)
from teasel.metrics import METRICS
from teasel.metrics.metric import adopt_metric
from teasel.models import LIKELIHOODS, METHODS, NETWORKS, Likelihood, Network, adopt_method

METHOD_AND_METRIC = """\
from teasel.metrics import METRICS, Metric
from teasel.models import METHODS, Method, Weight

BETA_VAE = METHODS["beta_vae"]


def double_beta_vae(beta: Weight) -> Method:
    return BETA_VAE(2 * beta)


def half(representation, rng, *, num_train: int = 10):
    return {"half": METRICS["mig"](representation, rng, num_train=num_train)["mig"] / 2}


HALF = Metric(half, "nobody")
"""
ENTRY_POINTS = """\
[teasel.methods]
double_beta_vae = theirs:double_beta_vae
[teasel.metrics]
half = theirs:HALF
"""


def offer(monkeypatch: pytest.MonkeyPatch, *entries: tuple[str, str]) -> None:
    points = [EntryPoint(name, value, "teasel.metrics") for name, value in entries]
    monkeypatch.setattr(catalogue, "entry_points", lambda group: points)


def numbers(**own: object) -> Catalogue[object]:
    return Catalogue("metrics", own, adopt=lambda name, entry: entry)


def test_an_installed_entry_joins_the_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, ("pi", "math:pi"))
    catalogue = numbers(e=2.7)
    assert list(catalogue) == ["e", "pi"]
    assert catalogue["pi"] == pytest.approx(3.14159)
    assert "tau" not in catalogue


def test_a_taken_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, ("e", "math:e"))
    with pytest.raises(TeaselError, match="the name 'e' is already taken"):
        list(numbers(e=2.7))


def test_an_entry_that_cannot_be_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, ("mine", "nowhere_at_all:metric"))
    with pytest.raises(TeaselError, match=r"mine = nowhere_at_all:metric in teasel\.metrics can"):
        list(numbers())


def test_an_entry_of_another_kind_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, ("root", "math:sqrt"))
    with pytest.raises(TeaselError, match=r"root = math:sqrt .*: a builtin.*; expected a teasel"):
        list(Catalogue("metrics", {}, adopt=adopt_metric))


def test_a_network_or_likelihood_must_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, ("root", "math:sqrt"))
    for own, kind in ((NETWORKS.own, Network), (LIKELIHOODS.own, Likelihood)):
        expected = rf"a builtin.*; expected a teasel\.models\.{kind.__name__}$"
        with pytest.raises(TeaselError, match=expected):
            list(Catalogue("networks", own, adopt=expect(kind)))
        assert Catalogue("networks", own, adopt=expect(kind)).own == own


@pytest.mark.parametrize(
    ("offered", "message"),
    [
        (METHODS["untrained"](), "a Method; expected a function that returns a Method"),
        (lambda beta=1.0: None, "the argument beta is annotated as None; a hyper-parameter is a"),
    ],
)
def test_what_is_wrong_with_a_factory_is_said(offered, message) -> None:
    with pytest.raises(TypeError, match=message):
        adopt_method("mine", offered)


def test_the_module_of_an_entry_may_be_imported_first_and_use_the_catalogues(
    tmp_path: Path,
) -> None:
    (tmp_path / "theirs.py").write_text(METHOD_AND_METRIC)
    about = tmp_path / "theirs-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1\n")
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
    look = (
        "import theirs; from teasel.models import METHODS; from teasel.metrics import METRICS; "
        "assert METHODS['double_beta_vae'].factory is theirs.double_beta_vae; "
        "assert METRICS['half'].function is theirs.half; "
        "from teasel.sweep import grid"
    )
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {look}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_bounds_say_and_check_what_they_allow() -> None:
    assert str(Bounds(gt=0, le=1)) == "a finite number above 0 and of at most 1"
    assert str(Bounds()) == "a finite number"
    values = (-1.0, 0.0, 0.5, 1.0, 2.0, float("nan"), float("inf"))
    assert [value for value in values if Bounds(gt=0, le=1).allow(value)] == [0.5, 1.0]
    assert [value for value in values if Bounds(ge=0, lt=1).allow(value)] == [0.0, 0.5]


def test_a_signature_is_read_with_its_types_bounds_and_defaults() -> None:
    some = Annotated[int, Bounds(ge=1)]

    def metric(codes, *, num: some, sizes: tuple[some, ...] = (1, 2), strict: bool = False): ...

    found = read_parameters(metric, keyword_only=True)
    assert list(found.values()) == [
        Parameter("num", int, Bounds(ge=1), REQUIRED),
        Parameter("sizes", tuple[int, ...], Bounds(ge=1), (1, 2)),
        Parameter("strict", bool, Bounds(), False),
    ]
    assert [parameter.required for parameter in found.values()] == [True, False, False]
    assert read_parameters(metric)["codes"].kind is None


def test_a_number_is_rounded_as_a_training_rounds_it() -> None:
    assert round_to_float32(0.1) == np.float32(0.1)
    assert round_to_float32(1e-46) == 0.0
    assert round_to_float32(LARGEST) < np.inf
    assert round_to_float32(1.001 * LARGEST) == round_to_float32(10**400) == np.inf
    assert all(np.isnan(round_to_float32(value)) for value in (np.nan, "4", True, None))


def test_what_a_plug_in_leaves_out_is_filled_in() -> None:
    method = adopt_method("double_vae", lambda: METHODS["beta_vae"](2.0))
    assert (method.label, method.colour, method.cost) == ("double vae", "", 1.0)
    metric = adopt_metric("half_mig", replace(METRICS["mig"], label="", labels={}))
    assert (metric.label, metric.labels) == ("half mig", {"half_mig": "half mig"})
    assert adopt_metric("half_mig", METRICS["dci"]).labels == METRICS["dci"].labels
