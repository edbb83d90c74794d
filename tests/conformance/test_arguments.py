"""Every exported layer and distribution refuses wrong arguments with an error that names the class and argument."""

import inspect
import math

import pytest

from tests.unchecked import import_unchecked

catalogue = import_unchecked("tests.conformance.catalogue")  # unchecked, to get the messages that a user sees
A = catalogue.A

DISTRIBUTIONS = {
    "Bernoulli": {"p": 0.5},
    "Beta": {"a": 1.0, "b": 2.0},
    "Choice": {"values": (1.0, 2.0)},
    "Constant": {"value": 1.0},
    "LogUniform": {"low": 1.0, "high": 2.0},
    "Normal": {"mean": 0.0, "std": 1.0},
    "Schedule": {"values": {0: 1.0}},
    "Spread": {"width": 0.1, "cap": 1.0},
    "Uniform": {"low": 1.0, "high": 2.0},
}
PIPELINES = {
    "Pipeline": {},
    "Preprocess": {"size": 8, "mean": 0.5, "std": 0.5},
    "Views": {"views": [A.RandomInvert()]},
}
NAMES = (*catalogue.LAYERS, *DISTRIBUTIONS, *PIPELINES)

NEVER_RIGHT = {
    "NaN": math.nan,
    "a NaN in a list": [math.nan],
    "a NaN in a pair": (math.nan, 1.0),
    "a number beyond float32": 1e300,
    "an object": object(),
    "a text": "no such thing",
    "bytes": b"1",
    "a complex number": 1j,
    "a set": {1, 2},
    "a type": int,
    "a range without end": range(10**30),
}
RIGHT_AFTER_ALL = {
    ("RandAugment", "mstd", "a number beyond float32"),  # means uniform magnitudes, like infinity
    ("AugMix", "mstd", "a number beyond float32"),  # likewise
    ("Opaque", "module", "a type"),  # types are callable
}


def build(name, **arguments):
    if name in catalogue.LAYERS:
        return catalogue.make(name, **arguments)
    return getattr(A, name)(**((DISTRIBUTIONS | PIPELINES)[name] | arguments))


def parameters(name, annotation=None):
    kinds = inspect.signature(getattr(A, name)).parameters.values()
    named = [p for p in kinds if p.kind is not p.VAR_POSITIONAL]
    return [p.name for p in named if annotation is None or p.annotation in (annotation, annotation.__name__)]


def assert_refused(name, argument, value):
    with pytest.raises((ValueError, TypeError), match=rf"^{name}: {argument}") as caught:
        build(name, **{argument: value})
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", NEVER_RIGHT)
def test_what_is_never_right_is_refused(name, kind):
    for argument in parameters(name):
        if (name, argument, kind) not in RIGHT_AFTER_ALL:
            assert_refused(name, argument, NEVER_RIGHT[kind])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [None, [], 1, 0.0, "yes"], ids=repr)
def test_a_flag_is_true_or_false(name, value):
    for argument in parameters(name, bool):
        assert isinstance(assert_refused(name, argument, value), TypeError)


@pytest.mark.parametrize("name", [name for name in NAMES if "p" in parameters(name)])
@pytest.mark.parametrize("value", [None, "0.5", (0.1, 0.5), True, math.nan, math.inf, -0.1, 1.1, [0.5]], ids=repr)
def test_a_probability_is_a_number_from_0_to_1(name, value):
    number = isinstance(value, float)
    assert isinstance(assert_refused(name, "p", value), ValueError if number else TypeError)


@pytest.mark.parametrize("name", catalogue.LAYERS)
def test_infinity_is_refused(name):
    for argument in parameters(name):
        if (name, argument) not in (("RandAugment", "mstd"), ("AugMix", "mstd")):
            assert_refused(name, argument, math.inf)
            assert_refused(name, argument, -math.inf)


@pytest.mark.parametrize("name", NAMES)
def test_counts_and_sizes_have_a_largest_value(name):
    """Numbers that exceed any memory are refused at construction, before the machine hangs."""
    for argument in parameters(name):
        for value in (10**12, (1, 10**12), (10**12, 10**12), (0, 10**9)):
            try:
                layer = build(name, **{argument: value})
            except (ValueError, TypeError) as error:
                assert str(error).startswith(f"{name}: {argument}")  # noqa: PT017
            else:
                assert getattr(layer, "draws", 0) < 1000, f"{argument}={value}"


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_argument_names_the_layer(name):
    with pytest.raises(TypeError, match=rf"^{name}: .*no_such_argument"):
        build(name, no_such_argument=1)
