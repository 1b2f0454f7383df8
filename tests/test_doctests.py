"""Every example in a docstring runs and prints what it says."""

import doctest
import importlib
import pkgutil

import pytest

import teasel

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(teasel.__path__, "teasel.")
    if module.name != "teasel.__main__"
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name: str) -> None:
    outcome = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert outcome.failed == 0
