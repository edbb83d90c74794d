"""The plan of a layer: decisions that are made when it first runs, and again when its layers change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import nn

from augment.data.context import compiling
from augment.data.types import Size
from augment.engine.trial import refuse_stripes

Leaf = Any
"""A `core.layer.Layer` that is executed; this room lies below that one and does not import it."""


@dataclass(frozen=True)
class Stage:
    """Neighbouring leaves that are executed together.

    Attributes:
        leaves: one layer, or a run of warps.
        first: the position of its first leaf among all leaves.
    """

    leaves: list[Leaf]
    first: int

    @property
    def end(self) -> int:
        return self.first + len(self.leaves)


@dataclass(frozen=True)
class Plan:
    """How a layer is executed.

    Attributes:
        leaves: the layers to run, one after another.
        stages: the leaves in groups that are executed together.
        parts: the stages in groups: consecutive stages that may run in chunks, or one stage that needs the whole batch.
        modules: leaves with modules or parameters besides their quantities; these may have a gradient that the raw
            draws do not show.
        sizes: image sizes that the layers are known to accept.
    """

    leaves: list[Leaf]
    stages: list[Stage]
    parts: list[list[Stage]]
    modules: list[Leaf]
    sizes: set[Size] = field(default_factory=set)


def plan_of(layer: nn.Module, training: bool) -> Plan:
    """Returns the plan of a layer, which is kept with the layer; traced code makes it anew."""
    if compiling():
        return _planned(_leaves(layer, training))
    plans = layer.__dict__.setdefault("_plans", {})
    leaves, plan = _leaves(layer, training), plans.get(training)
    if plan is None or plan.leaves != leaves:
        _check_color_channels(layer)
        for leaf in leaves:
            refuse_stripes(leaf)
        plan = plans[training] = _planned(leaves)
    return plan


def _check_color_channels(layer: Any) -> None:
    """Refuses a pipeline inside that says otherwise than the outermost, which alone decides."""
    for module in layer.modules():
        inner = getattr(module, "color_channels", None)
        if inner is not None and inner != layer.color_channels:
            raise ValueError(
                f"{type(module).__name__}: color_channels={inner} has no effect inside of another "
                f"{type(layer).__name__}: give them to the outermost pipeline."
            )


def _leaves(layer: Any, training: bool) -> list[Leaf]:
    return layer.leaves() if training else layer.fixed_leaves()


def _planned(leaves: list[Leaf]) -> Plan:
    stages: list[Stage] = []
    for place, leaf in enumerate(leaves):
        if stages and leaf.joins(stages[-1].leaves):
            stages[-1].leaves.append(leaf)
        else:
            stages.append(Stage([leaf], place))
    parts: list[list[Stage]] = []
    alone = True
    for stage in stages:
        by_sample = stage.leaves[0].by_sample
        if alone or not by_sample:
            parts.append([])
        parts[-1].append(stage)
        alone = not by_sample
    modules = [leaf for leaf in leaves if _holds_more(leaf)]
    return Plan(leaves, stages, parts, modules)


def _holds_more(leaf: Leaf) -> bool:
    """Whether a leaf has parameters or modules besides its gate and its quantities."""
    own = next(leaf.parameters(recurse=False), None) is not None
    return own or len(list(leaf.children())) > 1 + len(leaf._quantities)
