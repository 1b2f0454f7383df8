"""What a metric does wrong is a MetricError that says what it was."""

import math
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from teasel.metrics import METRICS
from teasel.sweep.trials.request import MetricRequest
from teasel.sweep.work.score import MetricError, score_rows


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda *_, **__: np.zeros(3) / np.zeros(2), "raised ValueError: operands could not be"),
        (lambda *_, **__: np.linalg.inv(np.zeros((2, 2))), "raised LinAlgError: Singular matrix"),
        (lambda *_, **__: 1 / 0, "raised ZeroDivisionError: division by zero"),
        (lambda *_, **__: sys.exit(1), "raised SystemExit: 1"),
        (lambda *_, **__: 3.0, "returned 3.0; expected a dict of finite numbers"),
        (lambda *_, **__: {"it": "0.5"}, "returned {'it': '0.5'}; expected a dict of finite"),
        (lambda *_, **__: {"it": math.nan}, "returned {'it': nan}; expected a dict of finite"),
        (lambda *_, **__: {"it": math.inf}, "returned {'it': inf}; expected a dict of finite"),
        (lambda *_, **__: {1: 0.5}, "returned {1: 0.5}; expected a dict of finite numbers"),
        (lambda *_, **__: {"it": None}, "returned {'it': None}; expected a dict of finite"),
    ],
)
def test_a_bug_is_told_by_what_was_raised_or_returned(
    monkeypatch: pytest.MonkeyPatch, broken, message: str
) -> None:
    monkeypatch.setitem(METRICS.own, "mig", replace(METRICS["mig"], function=broken))
    nothing: Any = SimpleNamespace(trial_id="it", attempt=1)
    with pytest.raises(MetricError) as raised:
        score_rows(nothing, nothing, MetricRequest.of("mean", "mig", {}))
    assert message in str(raised.value)
