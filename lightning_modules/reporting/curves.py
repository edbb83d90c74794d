"""The curves of a run as inline SVG."""

from __future__ import annotations

import io

from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator


def curves_of(history: list[dict[str, float]]) -> str:
    """Return one picture with a panel for each metric, such as loss and acc, and a line for each split.

    Args:
        history: the metrics after each epoch: {"epoch": 0, "train/loss": 2.3, "val/acc": 0.4, ...}.

    Returns:
        An <svg> element.
    """
    names = sorted({name for row in history for name in row if "/" in name and name.split("/")[0] in ("train", "val")})
    panels = list(dict.fromkeys(name.split("/", 1)[1] for name in names))
    figure = Figure(figsize=(4.2 * max(1, len(panels)), 2.8), layout="constrained")
    FigureCanvasSVG(figure)
    for place, panel in enumerate(panels, start=1):
        axes = figure.add_subplot(1, len(panels), place)
        for name in names:
            if name.split("/", 1)[1] == panel:
                rows = [row for row in history if name in row]
                axes.plot([row["epoch"] for row in rows], [row[name] for row in rows], label=name, marker=".")
        axes.set(title=panel, xlabel="epoch")
        axes.grid(alpha=0.3)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(fontsize=8)
    text = io.StringIO()
    figure.savefig(text, format="svg")
    return text.getvalue()[text.getvalue().index("<svg") :]
