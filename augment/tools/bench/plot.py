"""A picture of the measurements: bars of images/s for each recipe, and a line for chains of growing length."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from augment.tools.bench.measure import Row
from augment.tools.bench.report import headline
from augment.tools.errors import required

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_COLUMNS = 4
_INCHES = 4.6
"""Width of a panel."""


def plot(path: str, report: dict[str, Any], rows: Sequence[Row]) -> None:
    """Plot images/s as bars, one panel per recipe, and chain lengths as lines; the suffix selects the format."""
    required("matplotlib", "matplotlib", "--plot")
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    timed = [row for row in rows if row.images_per_s is not None]
    panels = [r for r in dict.fromkeys(row.recipe for row in timed) if not r.startswith("chain:")]
    chain = [row for row in timed if row.recipe.startswith("chain:")]
    names = list(dict.fromkeys(row.implementation for row in timed))
    colours = dict(zip(names, matplotlib.color_sequences["tab10"], strict=False))
    count = len(panels) + bool(chain)
    columns = min(_MOST_COLUMNS, count)
    lines = -(-count // columns)
    tall = 0.8 + 0.24 * max(len(names), 4)
    figure, axes = pyplot.subplots(
        lines, columns, figsize=(_INCHES * columns, 0.8 + tall * lines), squeeze=False, layout="constrained"
    )
    for axis, recipe in zip(axes.flat, panels, strict=False):
        _bars(axis, recipe, [row for row in timed if row.recipe == recipe][::-1], colours)
    if chain:
        _lines(axes.flat[len(panels)], names, chain, colours)
    for axis in list(axes.flat)[count:]:
        axis.axis("off")
    title = headline(report).partition("; Python")[0] + "; images/s"
    figure.suptitle("\n".join(textwrap.wrap(title, int(13 * _INCHES * columns))), fontsize="medium")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def _bars(axis: Axes, recipe: str, rows: Sequence[Row], colours: dict[str, Any]) -> None:
    speeds = [row.images_per_s or 0.0 for row in rows]
    bars = axis.barh(
        [row.implementation for row in rows],
        speeds,
        xerr=[speed * (row.spread or 0.0) for speed, row in zip(speeds, rows, strict=True)],
        error_kw={"ecolor": "#5f6368", "elinewidth": 1},
        color=[colours[row.implementation] for row in rows],
    )
    axis.bar_label(bars, [f"{speed:,.0f}" for speed in speeds], padding=3, fontsize="x-small")
    axis.set_title(recipe.removeprefix("layer:"), fontsize="medium")
    axis.set_xlim(0, 1.25 * max(speeds))
    axis.xaxis.set_visible(False)
    axis.tick_params(axis="y", labelsize="small", length=0)
    axis.spines[["top", "right", "bottom"]].set_visible(False)


def _lines(axis: Axes, names: Sequence[str], rows: Sequence[Row], colours: dict[str, Any]) -> None:
    longest = max(int(row.recipe.partition(":")[2]) for row in rows)
    for name in names:
        line = [row for row in rows if row.implementation == name]
        lengths = [int(row.recipe.partition(":")[2]) for row in line]
        axis.plot(lengths, [row.images_per_s or 0.0 for row in line], marker="o", markersize=3, color=colours[name])
        if line:
            axis.annotate(f"  {name}", (lengths[-1], line[-1].images_per_s), fontsize="xx-small", va="center")
    axis.set_title("chain of geometric layers", fontsize="medium")
    axis.set(xlabel="layers", yscale="log", xlim=(0.8, 1.6 * longest), xticks=range(1, longest + 1))
    axis.minorticks_off()
    axis.spines[["top", "right"]].set_visible(False)
