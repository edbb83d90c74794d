"""A picture of how far each operator is harmless."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.patches import Patch

from lightning_modules.learning.stairs import Limit
from lightning_modules.learning.words import State, said_loss, said_width

HARMLESS, PROBABLY, UNKNOWN, TOO_MUCH = "#3a923a", "#a9d4a4", "#d9d9d9", "#c03d3e"
"""Colours of what passed, certainly or not, of what was not decided, and of what certainly failed."""


def draw_limits(limits: Sequence[Limit], state: State) -> plt.Figure:
    """Draw a bar for each operator, from no change to its largest width: harmless or not.

    Args:
        limits: what the trials found.
        state: the policy, for the largest width of each operator.
    """
    figure, axes = plt.subplots(figsize=(10, 1.2 + 0.36 * len(limits)), layout="constrained")
    for place, limit in enumerate(limits):
        for start, end, colour in spans(limit):
            axes.barh(place, end - start, left=start, color=colour, height=0.7)
        axes.text(1.02, place, _beside(limit, state[limit.operator].get("cap", 1.0)), va="center", fontsize=8)
    axes.set_yticks(range(len(limits)), [limit.operator for limit in limits])
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="share of the largest width", title="How far each change is harmless to the label")
    legend = {HARMLESS: "harmless", PROBABLY: "probably harmless", UNKNOWN: "not decided", TOO_MUCH: "takes too much"}
    handles = [Patch(color=colour, label=name) for colour, name in legend.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return figure


def spans(limit: Limit) -> list[tuple[float, float, str]]:
    """Return (start, end, colour) of the parts of a bar, from 0 to 1.

    Example:
        >>> from lightning_modules.learning.stairs import Trial
        >>> spans(Limit("rotate", Trial(0.2, 0.0, 0.01), Trial(0.4, 0.5, 0.01), False, False))
        [(0.0, 0.2, '#3a923a'), (0.2, 0.4, '#d9d9d9'), (0.4, 1.0, '#c03d3e')]
    """
    good = 0.0 if limit.passed is None else 1.0 if limit.at_top else limit.passed.width
    bad = 1.0 if limit.failed is None else limit.failed.width
    if limit.failed is not None and bad == 1.0:  # an operator without a width: all of it failed
        bad = good
    if limit.failed is not None and not (limit.failed.certain or limit.given_up):
        bad = 1.0
    sure = limit.passed is not None and limit.passed.certain
    parts = [(0.0, good, HARMLESS if sure else PROBABLY), (good, bad, UNKNOWN), (bad, 1.0, TOO_MUCH)]
    return [(start, end, colour) for start, end, colour in parts if end > start]


def _beside(limit: Limit, cap: float) -> str:
    """Return the numbers at the end of a bar."""
    texts = []
    for word, trial in (("passed", limit.passed), ("failed", limit.failed)):
        if trial is not None:
            texts.append(
                f"{word} {said_width(limit.operator, trial.width * cap)} ({said_loss(trial)})".replace("  ", " ")
            )
    return "; ".join(texts) or "not tried"
