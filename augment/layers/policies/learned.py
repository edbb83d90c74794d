"""LearnedPolicy: operators with widths and probabilities learned in the same run as the classifier."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from augment.core.layer import Layer
from augment.data.known import Modules
from augment.data.types import Noise, Params
from augment.draws.arguments import is_number, number, shown
from augment.draws.config import write_yaml
from augment.draws.distributions import Bernoulli, Distribution, LogUniform, Spread, Uniform
from augment.layers.filtering.histogram import RandomAutoContrast, RandomEqualize
from augment.layers.filtering.sharpness import RandomSharpness
from augment.layers.geometric.affine import RandomAffine, RandomRotation, RandomShear, RandomTranslate
from augment.layers.geometric.flip import RandomHorizontalFlip
from augment.layers.photometric.adjust import RandomBrightness, RandomContrast, RandomGamma, RandomHue, RandomSaturation
from augment.layers.photometric.tone import RandomInvert
from augment.layers.policies.containers import Container, gated

Operator = Callable[[Distribution, Bernoulli], Layer]

OPERATORS: dict[str, tuple[float, float | None, Operator]] = {
    # name: (largest width, identity value or None for a factor in log scale, layer)
    "rotate": (180.0, 0.0, lambda w, p: RandomRotation(w, p=p)),  # degrees
    "translate_x": (0.5, 0.0, lambda w, p: RandomTranslate(translate_x=w, p=p)),  # of the width
    "translate_y": (0.5, 0.0, lambda w, p: RandomTranslate(translate_y=w, p=p)),  # of the height
    "scale": (math.log(2.0), None, lambda w, p: RandomAffine(0.0, scale=w, p=p)),  # log of the factor
    "shear_x": (45.0, 0.0, lambda w, p: RandomShear(w, p=p)),  # degrees
    "shear_y": (45.0, 0.0, lambda w, p: RandomAffine(0.0, shear=(0.0, w), p=p)),  # degrees
    "brightness": (0.9, 1.0, lambda w, p: RandomBrightness(w, p=p)),  # added to a pixel in [0, 1]
    "contrast": (0.99, 1.0, lambda w, p: RandomContrast(w, p=p)),  # factor
    "saturation": (0.99, 1.0, lambda w, p: RandomSaturation(w, p=p)),  # factor
    "hue": (0.5, 0.0, lambda w, p: RandomHue(w, p=p)),  # full circles
    "gamma": (math.log(3.0), None, lambda w, p: RandomGamma(w, p=p)),  # log of the exponent
    "sharpness": (0.99, 1.0, lambda w, p: RandomSharpness(w, p=p)),  # factor
}
"""Operators with a width. The largest widths of factors are from TrivialAugment (Müller and Hutter 2021, table 1).
The largest widths of the geometry are a full turn, half of the image and twice the size."""

GATES: dict[str, Callable[[Bernoulli], Layer]] = {
    "invert": lambda p: RandomInvert(p=p),
    "equalize": lambda p: RandomEqualize(p=p),
    "autocontrast": lambda p: RandomAutoContrast(p=p),
    "horizontal_flip": lambda p: RandomHorizontalFlip(p=p),
}
"""Operators without a magnitude; only their probability is learned, with the score function."""

DEFAULT = (*OPERATORS,)


class LearnedPolicy(Container):
    """Applies operators in sequence, each with a learned probability and a learned width around the identity.

    The width is cap * sigmoid(rho) and gets the pathwise gradient. The gate is hard, Bernoulli(sigmoid(lambda)), and
    gets its gradient from the score function through `log_prob`. `augment.objectives` defines the losses to minimise;
    the trainer has a callback that does it. Neighbouring geometric operators still share one resampling pass. In
    `eval()` inside a pipeline in training mode the policy does nothing, which gives the loss without the policy at
    the same draws.

    Args:
        operators: names from OPERATORS and GATES in the order of execution, or a mapping from names to the largest
            width, where None is the default.
        width: initial width as a fraction of the largest, in (0, 1).
        probability: initial probability of each operator, in (0, 1).
        p: fixed probability of applying the policy to a sample.
        same_on_batch: use one draw for all samples of a batch; the policy cannot learn then, because learning compares
            samples.

    Raises:
        ValueError: an operator is unknown, or a width or probability is outside its open range.

    Example:
        >>> policy = A.LearnedPolicy(("rotate", "brightness"))
        >>> policy(torch.rand(2, 3, 16, 16)).shape
        torch.Size([2, 3, 16, 16])
    """

    example = {"operators": ("rotate", "scale", "brightness", "gamma")}

    layers: Modules[Layer]

    def __init__(
        self,
        operators: Mapping[str, float | None] | Sequence[str] = DEFAULT,
        width: float = 0.1,
        probability: float = 0.5,
        p: float = 1.0,
        same_on_batch: bool = False,
    ) -> None:
        for name, value in (("width", width), ("probability", probability)):
            if not 0 < number(self, name, value) < 1:
                raise ValueError(f"LearnedPolicy: {name}={value} must lie within (0, 1), ends excluded.")
        if not isinstance(operators, (dict, list, tuple)) or not operators:
            error = ValueError if isinstance(operators, (dict, list, tuple)) else TypeError
            raise error(f"LearnedPolicy: operators={shown(operators)} must hold at least one name of an operator.")
        for name in operators:
            if not isinstance(name, str) or name not in (*OPERATORS, *GATES):
                known = ", ".join((*OPERATORS, *GATES))
                raise ValueError(f"LearnedPolicy: operators has {shown(name)}; known are {known}.")
        caps = operators if isinstance(operators, dict) else dict.fromkeys(operators)
        layers = [_operator(name, cap, width, Bernoulli(probability, learnable=True)) for name, cap in caps.items()]
        super().__init__(layers, p, same_on_batch)
        self.names = tuple(caps)
        for layer in layers:
            layer.same_on_batch = same_on_batch

    def leaf_params(self, noise: Noise) -> list[Params]:
        params = super().leaf_params(noise)
        return params if self.training else gated(params, torch.zeros_like(noise[:, 0], dtype=torch.bool))

    def spreads(self) -> dict[str, Spread]:
        """Returns the width distribution of each operator that has one."""
        found = {name: [m for m in layer.modules() if isinstance(m, Spread)] for name, layer in self._named()}
        return {name: spread for name, (spread, *_) in ((n, s) for n, s in found.items() if s)}

    def state(self) -> dict[str, dict[str, float]]:
        """Returns {operator: {"p": probability, "width": width in its unit, "cap": largest width}}."""
        state = {name: {"p": float(layer.p.probability())} for name, layer in self._named()}
        for name, spread in self.spreads().items():
            state[name] |= {"width": spread.width().item(), "cap": spread.cap}
        return state

    def assign(self, settings: Mapping[str, tuple[float, float]]) -> None:
        """Sets operators by hand, for learning by trial instead of gradients.

        Args:
            settings: for each operator its width as a fraction of the largest, which is ignored if it has none, and
                its probability; both in [0, 1], and kept a thousandth away from the ends.

        Example:
            >>> policy = A.LearnedPolicy(("rotate", "invert"))
            >>> policy.assign({"rotate": (0.5, 0.25)})
            >>> round(policy.state()["rotate"]["width"])
            90
        """
        spreads, layers = self.spreads(), dict(self._named())
        for name, (width, p) in settings.items():
            layers[name].p.p.assign(p)
            if name in spreads:
                spreads[name].assign(width)

    def config(self) -> dict[str, Any]:
        """Returns the policy with its present widths and probabilities fixed."""
        layers = [layer.config() for layer in self.layers]
        gate = {"p": self.p.config(), "same_on_batch": self.same_on_batch}
        return {"_target_": "augment.RandomApply", "layers": layers} | gate

    def export(self, path: str | Path) -> None:
        """Writes the policy with fixed widths and probabilities as YAML, as a pipeline of its own.

        To train with the whole pipeline elsewhere, including Normalize, use `Pipeline.export`.
        """
        write_yaml({"_target_": "augment.Pipeline", "_args_": [self.config()]}, path)

    def _named(self) -> list[tuple[str, Layer]]:
        return list(zip(self.names, self.layers, strict=True))


def policies_in(module: nn.Module) -> list[LearnedPolicy]:
    """Finds all learned policies in a pipeline."""
    return [layer for layer in module.modules() if isinstance(layer, LearnedPolicy)]


def fixed_operators(names: Sequence[str], width: float = 1.0, p: float = 1.0) -> list[Layer]:
    """Builds the same operators with a fixed width, a fraction of the largest in (0, 1], and a fixed probability.

    Use them for baselines: OneOf(fixed_operators(names)) chooses uniformly, as TrivialAugment does, and
    SomeOf(fixed_operators(names, m), 2) uses one magnitude for all, as RandAugment does. An operator without a
    magnitude gets half of the probability, which leaves as many images unchanged as changed.
    """
    if not 0 < width <= 1:
        raise ValueError(f"fixed_operators: width={width} must lie within (0, 1].")
    layers = []
    for name in names:
        if name in GATES:
            layers.append(GATES[name](Bernoulli(p / 2)))
            continue
        if name not in OPERATORS:
            raise ValueError(f"fixed_operators: names has {name!r}; known are {', '.join((*OPERATORS, *GATES))}.")
        cap, centre, build = OPERATORS[name]
        reach = width * cap
        ends = (math.exp(-reach), math.exp(reach)) if centre is None else (centre - reach, centre + reach)
        layers.append(build((LogUniform if centre is None else Uniform)(*ends), Bernoulli(p)))
    return layers


def _operator(name: str, cap: float | None, width: float, gate: Bernoulli) -> Layer:
    if name in GATES:
        if cap is not None:
            raise ValueError(f"LearnedPolicy: operators[{name!r}]={cap} must be None, because it has no width.")
        return GATES[name](gate)
    largest, centre, build = OPERATORS[name]
    cap = largest if cap is None else cap
    if not is_number(cap) or not 0 < cap <= largest:
        raise ValueError(f"LearnedPolicy: operators[{name!r}]={cap} must lie within (0, {largest:.4g}].")
    return build(Spread(width * cap, cap, centre or 0.0, log_scale=centre is None), gate)
