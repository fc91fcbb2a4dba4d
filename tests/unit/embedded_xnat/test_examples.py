"""The examples in the docstrings of the pure modules are true."""

import doctest
import importlib
import pkgutil

import pytest

import embedded_xnat

MODULES = [
    module.name
    for module in pkgutil.walk_packages(embedded_xnat.__path__, "embedded_xnat.")
    if "migrations" not in module.name
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_true(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
