"""What the analysis loads, and when."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import teasel.analysis

HEAVY = {"jax", "flax", "matplotlib", "jinja2", "pydantic", "sklearn", "numba", "ray", "scipy"}


def test_reading_a_results_folder_loads_nothing_heavy() -> None:
    names = "Names, representation, scores, study_names, trials"
    code = f"from teasel.analysis import {names}\nimport sys\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {module.split(".")[0] for module in run.stdout.split()} & HEAVY


def test_the_names_that_a_type_checker_sees_are_those_that_are_there() -> None:
    tree = ast.parse(Path(teasel.analysis.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        (alias.name, node.module)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert {name for name, _ in seen} == set(teasel.analysis.__all__)
    for name, module in seen:
        home = f"teasel.analysis.{module}"
        assert getattr(teasel.analysis, name) is getattr(sys.modules[home], name)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"'teasel\.analysis' has no attribute 'mig'"):
        _ = teasel.analysis.mig  # pyright: ignore[reportAttributeAccessIssue]
    assert set(dir(teasel.analysis)) >= {"scores", "write_report"}
