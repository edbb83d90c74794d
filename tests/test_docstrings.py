"""Every exported class and function has an example in its docstring, and the example is true."""

import doctest

import pytest
import torch

import augment as A
from tests.unchecked import import_unchecked

CALLABLE = [name for name in A.__all__ if callable(getattr(A, name))]


@pytest.mark.parametrize("name", CALLABLE)
def test_the_example_is_true(name: str) -> None:
    thing = getattr(A, name)
    library = import_unchecked("augment") if name == "export_program" else A  # which has sizes that are no numbers
    names = {"torch": torch, "A": library}
    tests = doctest.DocTestParser().get_doctest(thing.__doc__, names, name, None, None)
    assert tests.examples, f"{name} has no example"
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(tests, out=said.append)
    assert runner.failures == 0, "".join(said)
