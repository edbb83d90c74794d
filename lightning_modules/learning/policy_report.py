"""Reports of a learned policy: curves, a picture, what it says in words, and an equivalent fixed pipeline."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
from torch import nn

import augment as A
from augment.layers.policies.learned import policies_in
from lightning_modules.learning.limits_picture import draw_limits
from lightning_modules.learning.words import Findings
from lightning_modules.saving.whole_file import whole_file


class PolicyReport:
    """Collect widths and probabilities during training, and write three files at the end.

    `policy.yaml` describes a pipeline with fixed numbers that draws the same as the learned one; augment=PATH uses it
    in another run. `policy.md` says in words what was learned. `policy.png` shows how far each operator is harmless,
    if that was tested, and otherwise the widths and probabilities over the steps.

    Args:
        dirpath: folder of both files; created if missing.
    """

    def __init__(self, dirpath: str) -> None:
        self.dirpath = Path(dirpath)
        self.history: dict[str, list[float]] = {}

    def curves(self, pipeline: nn.Module, step: int) -> dict[str, float]:
        """Return "policy/OPERATOR/p" and "policy/OPERATOR/width" for the loggers, and store them for the picture."""
        values = {
            f"policy/{operator}/{name}": value
            for policy in policies_in(pipeline)
            for operator, state in policy.state().items()
            for name, value in state.items()
            if name != "cap"
        }
        for name, value in {"step": step, **values}.items():
            self.history.setdefault(name, []).append(value)
        return values

    @property
    def picture(self) -> Path:
        return self.dirpath / "policy.png"

    def finish(self, pipeline: A.Pipeline, findings: Findings | None) -> None:
        pipeline.export(self.dirpath / "policy.yaml")
        policies = policies_in(pipeline)
        if findings is not None:
            with whole_file(self.dirpath / "policy.md") as file:
                file.write(findings.markdown().encode())
        if findings is not None and findings.limits:
            figure = draw_limits(findings.limits, policies[0].state())
        elif policies and self.history:
            figure = draw(policies[0], self.history)
        else:
            return
        figure.savefig(self.picture, dpi=120, bbox_inches="tight")
        plt.close(figure)


def draw(policy: A.LearnedPolicy, history: dict[str, list[float]]) -> plt.Figure:
    """Plot widths, as shares of the largest, and probabilities over the classifier's steps."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained", sharex=True, sharey=True)
    for place, (operator, state) in enumerate(policy.state().items()):
        style = {"label": operator, "color": f"C{place % 10}", "linestyle": "-" if place < 10 else "--"}
        if "width" in state:
            label = f"{operator} {state['width']:.3g} of {state['cap']:.3g}"
            shares = [width / state["cap"] for width in history[f"policy/{operator}/width"]]
            left.plot(history["step"], shares, **style | {"label": label})
        right.plot(history["step"], history[f"policy/{operator}/p"], **style)
    left.set(title="width, share of the largest", xlabel="step", ylim=(0, 1))
    right.set(title="probability", xlabel="step")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7, ncols=2)
    return figure
