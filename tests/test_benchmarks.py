"""The bookkeeping of `benchmarks/training_accelerator.py`: what is left, counted and reported."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from teasel.tests.support.ahead_of_time import kernels

HERE = {"device": "a", "jax": "1"}
LIMITS = {"copy": 1000.0, "bfloat16": 1e12, "tensorfloat32": 1e12, "float32": 1e12}
MEASURED = {"rate": 10.0, "unit": "model-steps/s", "ready": 2.0}


@pytest.fixture
def timing(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    return importlib.import_module("training_accelerator")


def test_a_torn_line_is_no_line_and_the_next_one_is_whole(
    timing: ModuleType, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.jsonl"
    assert timing.kept_rows(kept, HERE) == []
    timing.keep(kept, {**HERE, "rate": 1})
    with kept.open("a") as file:
        file.write('\n{"device": "a", "jax": "1", "ra')
    timing.keep(kept, {**HERE, "rate": 2})
    assert [row["rate"] for row in timing.kept_rows(kept, HERE)] == [1, 2]


def test_rows_of_another_device_or_version_do_not_count(timing: ModuleType, tmp_path: Path) -> None:
    kept = tmp_path / "kept.jsonl"
    for row in ({"device": "b", "jax": "1"}, {"device": "a", "jax": "2"}, HERE):
        timing.keep(kept, row)
    assert timing.kept_rows(kept, HERE) == [HERE]


def test_what_failed_is_done_and_what_was_cut_off_comes_last(timing: ModuleType) -> None:
    cases = [timing.Case("kernels", "beta_vae", 1, "bfloat16", size) for size in (64, 128, 256, 32)]
    measured, cut_off, failed, fresh = (list(case) for case in cases)
    rows = [{"begun": case} for case in (measured, cut_off, failed)]
    rows += [{"case": measured, **MEASURED}, {"case": failed, "error": "out of memory"}]
    assert timing.cases_left(cases, rows) == [tuple(fresh), tuple(cut_off)]


def test_the_headline_comes_first_and_no_case_twice(timing: ModuleType) -> None:
    cases = timing.cases("kernels")
    assert len(set(cases)) == len(cases)
    assert cases[0] == ("kernels", "beta_vae", 1, "bfloat16", 64)
    assert {case.precision for case in cases[:3]} == {"bfloat16", "tensorfloat32", "float32"}
    for method in timing.STUDYS:
        packs = [case for case in cases if case.by == "kernels" and case.method == method]
        assert {case.precision for case in packs} >= {"bfloat16", "tensorfloat32"}


def test_the_report_shows_failures_and_shares(timing: ModuleType) -> None:
    cases = timing.cases("kernels")
    alone = next(case for case in cases if case[:2] == ("lax", "beta_vae"))
    rows: list[dict[str, Any]] = [
        {"limits": LIMITS},
        {"case": alone, **MEASURED},
        {"case": cases[0], **MEASURED, "rate": 40.0, "bytes": 20, "peak": 2e9},
        {"case": cases[1], "error": "out of memory"},
    ]
    text = timing.report(cases, rows)
    assert "| bfloat16 | 64 | 40 | 4.0 | 80% | 2.00 | 2 |" in text
    assert "| tensorfloat32 | 64 | out of memory | - |" in text


HLO = """HloModule step

%inner (param_0: f32[100,4], param_1: s32[2]) -> f32[2,4] {
  %param_0 = f32[100,4]{1,0} parameter(0)
  %param_1 = s32[2]{0} parameter(1)
  ROOT %gather.1 = f32[2,4]{1,0} gather(%param_0, %param_1), offset_dims={1}
}

%body (state: (bf16[8], f32[100,4], s32[2])) -> (bf16[8], f32[100,4], s32[2]) {
  %state = (bf16[8]{0}, f32[100,4]{1,0}, s32[2]{0}) parameter(0)
  %a = bf16[8]{0} get-tuple-element(%state), index=0
  %b = f32[100,4]{1,0} get-tuple-element(%state), index=1
  %c = s32[2]{0} get-tuple-element(%state), index=2
  %taken = f32[2,4]{1,0} fusion(%b, %c), kind=kLoop, calls=%inner
  %added = bf16[8]{0} add(%a, %a)
  ROOT %out = (bf16[8]{0}, f32[100,4]{1,0}, s32[2]{0}) tuple(%added, %b, %c)
}

ENTRY %main (given: (bf16[8], f32[100,4], s32[2])) -> (bf16[8], f32[100,4], s32[2]) {
  %given = (bf16[8]{0}, f32[100,4]{1,0}, s32[2]{0}) parameter(0)
  ROOT %loop = (bf16[8]{0}, f32[100,4]{1,0}, s32[2]{0}) while(%given), condition=%c, body=%body
}
"""


def test_a_gather_reads_only_the_rows_that_it_takes() -> None:
    found = [(kernel.name, kernel.num_bytes) for kernel in kernels(HLO)]
    assert found == [("taken", 2 * 4 * 4 + 2 * 4 * 4 + 2 * 4), ("added", 3 * 8 * 2)]


ON_A_TPU = """HloModule step

%body (state: (f32[64,3], f32[64,3])) -> (f32[64,3], f32[64,3]) {
  %state = (f32[64,3]{0,1:T(4,128)}, f32[64,3]{0,1:T(4,128)S(1)}) parameter(0)
  %a = f32[64,3]{0,1:T(4,128)} get-tuple-element(%state), index=0
  %b = f32[64,3]{0,1:T(4,128)S(1)} get-tuple-element(%state), index=1
  %begun = (f32[64,3]{0,1:T(4,128)S(1)}, f32[64,3]{0,1:T(4,128)}, u32[]{:S(2)}) copy-start(%a)
  %taken = f32[64,3]{0,1:T(4,128)S(1)} copy-done(%begun)
  %added = f32[64,3]{0,1:T(4,128)} add(%a, %taken)
  ROOT %out = (f32[64,3]{0,1:T(4,128)}, f32[64,3]{0,1:T(4,128)S(1)}) tuple(%added, %b)
}

ENTRY %main (given: (f32[64,3], f32[64,3])) -> (f32[64,3], f32[64,3]) {
  %given = (f32[64,3]{0,1:T(4,128)}, f32[64,3]{0,1:T(4,128)S(1)}) parameter(0)
  ROOT %loop = (f32[64,3]{0,1:T(4,128)}, f32[64,3]{0,1:T(4,128)S(1)}) while(%given), body=%body
}
"""


def test_a_tpus_arrays_count_with_their_padding_unless_they_are_on_the_chip() -> None:
    padded = 128 * 4 * 4  # 64 of 128 lanes and 3 of 4 sublanes hold numbers
    found = [(kernel.name, kernel.num_bytes) for kernel in kernels(ON_A_TPU)]
    assert found == [("begun", padded), ("added", 2 * padded)]
