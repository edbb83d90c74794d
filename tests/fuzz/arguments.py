"""Generates arguments from a constructor's signature, its defaults and the layer's `example`."""

import inspect
import math
import re
import typing
from random import Random

import torch

import augment as A
from augment.draws.shorthand import Quantity
from tests.conformance.catalogue import ALONE, LAYERS, MIXES

LAST = 1e-3
"""Smallest positive number that is generated."""


def demand(right: bool, otherwise: str) -> None:
    if not right:
        raise AssertionError(otherwise)


def layer(rng: Random, name: str, depth: int = 0) -> tuple[A.Layer, dict]:
    """Return a layer of a class with arguments that its constructor accepts, and these arguments."""
    for attempt in range(20):
        arguments = _some(rng, name, depth, share=0.6 if attempt < 15 else 0.2)
        try:
            return LAYERS[name](**arguments), arguments
        except (ValueError, TypeError) as error:
            demand(f"{name}:" in str(error), f"{name}({arguments}) names no layer: {error!r}")
    arguments = required(rng, name, depth)
    return LAYERS[name](**arguments), arguments


def required(rng: Random, name: str, depth: int = 0) -> dict:
    """Return the arguments of the `example` and all other required arguments."""
    arguments = dict(LAYERS[name].example)
    if "layers" in inspect.signature(LAYERS[name]).parameters:
        names = list(MIXES) if name == "RandomMix" else [n for n in ALONE if n not in ("Resize", "CenterCrop")]
        inner = [n for n in names if "layers" not in inspect.signature(LAYERS[n]).parameters or depth < 1]
        arguments["layers"] = [layer(rng, rng.choice(inner), depth + 1)[0] for _ in range(rng.randint(2, 3))]
    return arguments


def _some(rng: Random, name: str, depth: int, share: float) -> dict:
    """Return the arguments of `required`, with some of them replaced and some optional ones added."""
    arguments, hints = required(rng, name, depth), typing.get_type_hints(LAYERS[name].__init__)
    words = re.findall(r'"(\w+)"', LAYERS[name].__doc__)
    for parameter in inspect.signature(LAYERS[name]).parameters.values():
        fixed = parameter.name in ("layers", "module", "random")  # Opaque's module may be random
        if fixed or rng.random() > share:
            continue
        default = None if parameter.default is parameter.empty else parameter.default
        base = arguments.get(parameter.name, default)
        arguments[parameter.name] = value(rng, parameter.name, hints[parameter.name], base, words)
    return arguments


def value(rng: Random, name: str, hint: object, base: object, words: list[str]) -> object:
    """Return a value similar to `base` for an annotated parameter; `words` are the values quoted in its docs."""
    if name == "p":
        return rng.choice([0.0, 0.3, 0.7, 1.0, A.Bernoulli(0.5, learnable=True)])
    if isinstance(base, bool):
        return rng.random() < 0.5
    if isinstance(base, str):
        return rng.choice([base, *words])
    if hint == Quantity:
        return quantity(rng, base)
    if base is None:
        return rng.choice([None, rng.randint(1, 20), rng.uniform(0, 1), (rng.randint(1, 9), rng.randint(1, 9))])
    if isinstance(base, int):
        return rng.choice([base, rng.randint(0, 12), 2 * rng.randint(0, 5) + 1])
    if isinstance(base, float):
        return near(rng, base)
    if isinstance(base, (tuple, list)) and all(isinstance(item, (int, float)) for item in base):
        whole = all(isinstance(item, int) for item in base)
        changed = [rng.choice([item, rng.randint(0, 9)]) if whole else near(rng, item) for item in base]
        return tuple(sorted(changed) if rng.random() < 0.7 else changed)
    return base


def near(rng: Random, base: float) -> float:
    return rng.choice([base, base * rng.uniform(0, 2), rng.uniform(-1, 2), 0.0, 1.0, LAST])


def quantity(rng: Random, base: object) -> object:
    """Return a number, a pair or a distribution."""
    centre = base[0] if isinstance(base, (tuple, list)) and isinstance(base[0], (int, float)) else base
    centre = float(centre) if isinstance(centre, (int, float)) else rng.uniform(0, 1)
    low, high = sorted((near(rng, centre), near(rng, centre)))
    learnable = rng.random() < 0.3
    made = rng.choice(("base", "number", "whole", "pair", "whole pair", "Uniform", "LogUniform", "Normal", "Choice"))
    if made == "base" or (made in ("Uniform", "LogUniform") and low == high):
        return base
    return {
        "number": lambda: low,
        "whole": lambda: rng.randint(0, 9),
        "pair": lambda: (low, high),
        "whole pair": lambda: (rng.randint(0, 3), rng.randint(3, 9)),
        "Uniform": lambda: A.Uniform(low, high, learnable),
        "LogUniform": lambda: A.LogUniform(abs(low) + LAST, abs(low) + abs(high) + 1, learnable),
        "Normal": lambda: A.Normal(centre, rng.uniform(LAST, 1), learnable=learnable),
        "Choice": lambda: A.Choice((low, high), (1, 2), learnable),
    }[made]()


WRONG = (
    math.nan, math.inf, -math.inf, None, True, -1, -0.5, 0, 10**30, 10**400, 1e300, 1e-300, 1j, "", "x", b"x", object(),
    [], (), {}, {1}, [None], [math.nan], (math.nan, math.nan), (1, 0), (0, math.inf), (1, 2, 3), [[1, 2], [3, 4]],
    range(10**30), int, len, 3.7, torch.tensor(math.nan), torch.zeros(0), torch.ones(2, 2), A.Bernoulli(0.5),
)  # fmt: skip
"""Values that a caller may pass by mistake; some parameters accept them."""
