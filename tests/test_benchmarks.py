"""The bookkeeping of `benchmarks/training_accelerator.py`: what is left, counted and reported."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import pytest

HERE = {"device": "a", "jax": "1"}
LIMITS = {"copy": 1000.0, "TF32": 1000.0, "bfloat16": 1000.0, "float32": 1000.0}
MEASURED = {"rate": 10.0, "in_one_call": None, "ready": 2.0, "limits": LIMITS, "work": {}}


@pytest.fixture
def timing(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    return importlib.import_module("training_accelerator")


def test_a_torn_line_is_no_line_and_the_next_one_is_whole(
    timing: ModuleType, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.jsonl"
    assert timing.kept_rows(kept, HERE) == []
    timing._keep(kept, {**HERE, "rate": 1})
    with kept.open("a") as file:
        file.write('\n{"device": "a", "jax": "1", "ra')
    timing._keep(kept, {**HERE, "rate": 2})
    assert [row["rate"] for row in timing.kept_rows(kept, HERE)] == [1, 2]


def test_rows_of_another_device_or_version_do_not_count(timing: ModuleType, tmp_path: Path) -> None:
    kept = tmp_path / "kept.jsonl"
    for row in ({"device": "b", "jax": "1"}, {"device": "a", "jax": "2"}, HERE):
        timing._keep(kept, row)
    assert timing.kept_rows(kept, HERE) == [HERE]


def test_what_failed_is_done_and_what_was_cut_off_comes_last(timing: ModuleType) -> None:
    cases = [timing.Case("d", "beta_vae", "blocks", "TF32", size) for size in (64, 128, 256, 32)]
    measured, cut_off, failed, fresh = (list(case) for case in cases)
    rows = [{"begun": case} for case in (measured, cut_off, failed)]
    rows += [{"case": measured, **MEASURED}, {"case": failed, "error": "out of memory"}]
    assert timing.cases_left(cases, rows) == [tuple(fresh), tuple(cut_off)]


def test_the_headline_comes_first_and_no_case_twice(timing: ModuleType) -> None:
    cases = timing._cases("d", "c")
    assert len(set(cases)) == len(cases)
    assert cases[0] == ("d", "beta_vae", "lax", "TF32", 1)
    assert {case.size for case in cases[1:13]} == {64, 128, 256}
    assert {case[:2] for case in cases[:13]} == {("d", "beta_vae")}
    for method in timing.EXAMPLES:
        sizes = {case.size for case in cases if case.method == method and case.form == "blocks"}
        assert sizes == {1, 8, 32, 64, 128, 256}


def test_products_count_once_in_a_loop_and_only_where_used(timing: ModuleType) -> None:
    def step(left: jax.Array, right: jax.Array) -> jax.Array:
        left @ left.T
        product = jax.jit(jnp.matmul)
        return jax.lax.fori_loop(0, 9, lambda _, out: out + product(left, right), jnp.ones((2, 5)))

    counted = timing.products(jax.make_jaxpr(step)(jnp.ones((2, 3)), jnp.ones((3, 5))))
    assert counted == (4 * (2 * 3 + 3 * 5 + 2 * 5), 2 * 2 * 3 * 5)


def test_a_library_s_convolutions_are_not_counted(timing: ModuleType) -> None:
    def step(images: jax.Array, kernel: jax.Array) -> jax.Array:
        return jax.lax.conv(images, kernel, (1, 1), "SAME")

    program = jax.make_jaxpr(step)(jnp.ones((1, 1, 4, 4)), jnp.ones((1, 1, 2, 2)))
    assert timing.products(program) is None


def test_the_report_shows_failures_and_the_next_bottleneck(timing: ModuleType) -> None:
    cases = timing._cases("d", "c")[:3]
    rows: list[dict[str, Any]] = [
        {"case": cases[0], **MEASURED},
        {"case": cases[1], **MEASURED, "rate": 40.0, "work": {"bytes": 20, "flops": 5}},
        {"case": cases[2], "error": "out of memory"},
    ]
    text = timing.report(cases, rows)
    assert "80% of copying and 20% of a product. Nearer its limit: bandwidth" in text
    assert "would allow 50." in text
    assert "| 40 | - | 4.0 |" in text
    assert "| out of memory | - |" in text
