"""The report of a run, as one self-contained HTML file and as Markdown."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass, field

from PIL.Image import Image

from augment.tools.preview.sheet import Tile, inline
from lightning_modules.reporting.curves import curves_of
from lightning_modules.reporting.predictions import Predictions

MOST_CLASSES = 30
"""Number of classes up to which the whole matrix of confusions is shown; with more, the report lists the commonest."""

LEARNED = "What the augmentation has learned"
"""Heading of what a learned policy says about the data."""

_STYLE = """body { font: 15px system-ui, sans-serif; max-width: 1100px; margin: 2em auto; padding: 0 1em; color: #222; }
table { border-collapse: collapse; margin: .5em 0; } td, th { padding: 2px 8px; text-align: left; font-weight: normal; }
th { color: #666; } .matrix td { min-width: 1.6em; text-align: center; padding: 2px 4px; }
.tiles { display: flex; flex-wrap: wrap; gap: 10px; } figure { margin: 0; width: 112px; font-size: 12px; }
img { display: block; }
svg { max-width: 100%; height: auto; } h2 { margin-top: 1.6em; font-size: 1.15em; }"""


@dataclass(frozen=True)
class Told:
    """What a report tells.

    Attributes:
        title: name of the run.
        results: the last metrics.
        settings: overrides, as on the command line.
        history: the metrics after each epoch, with "epoch".
        split: "val" or "test", of the predictions.
        classes: names of the classes.
        found: predictions of a split, or None.
        wrong: the most wrong images.
        samples: augmented images.
        speed: see `Throughput.summary`.
        environment: name -> text.
        learned: sentences about what the augmentation has learned; none if nothing was learned.
        learned_picture: the same as a picture, or None.
    """

    title: str
    results: dict[str, float]
    settings: list[str]
    history: list[dict[str, float]]
    split: str
    classes: list[str]
    found: Predictions | None
    wrong: list[Tile]
    samples: list[Tile]
    speed: dict[str, float]
    environment: dict[str, str]
    learned: list[str] = field(default_factory=list)
    learned_picture: Image | None = None


def html_of(told: Told) -> str:
    """Return the report as one HTML file."""
    title = html.escape(told.title)
    parts = [f"<h1>{title}</h1>"]
    for heading, (columns, rows) in _tables(told).items():
        parts.append(f"<h2>{html.escape(heading)}</h2>{_table(columns, rows)}")
        if heading == "Results" and told.learned:
            parts.append(f"<h2>{LEARNED}</h2>{_learned(told)}")
        if heading == "Results" and len(told.history) > 1:
            parts.append(f"<h2>Curves</h2>{curves_of(told.history)}")
        if heading.startswith("Classes") and told.found is not None and len(told.classes) <= MOST_CLASSES:
            parts.append(f"<h2>Confusions</h2>{_matrix(told.classes, told.found)}")
    for heading, tiles in (("Most wrong images", told.wrong), ("Augmented samples", told.samples)):
        if tiles:
            parts.append(f'<h2>{heading}</h2><div class="tiles">{"".join(map(_figure, tiles))}</div>')
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head>\n<body>{body}</body></html>\n"
    )


def markdown_of(told: Told) -> str:
    """Return the tables of the report as Markdown; pictures and curves are in the HTML file."""
    parts = [f"# {told.title}"]
    for heading, (columns, rows) in _tables(told).items():
        lines = [columns, ["---"] * len(columns), *rows]
        table = "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)
        parts.append(f"## {heading}\n\n{table}")
        if heading == "Results" and told.learned:
            parts.append("\n".join([f"## {LEARNED}\n", *(f"- {_cell(sentence)}" for sentence in told.learned)]))
    return "\n\n".join(parts) + "\n"


def _learned(told: Told) -> str:
    """Return the sentences about the augmentation as a list, and the picture below it."""
    listed = f"<ul>{''.join(f'<li>{html.escape(sentence)}</li>' for sentence in told.learned)}</ul>"
    if told.learned_picture is None:
        return listed
    return f'{listed}<img alt="" style="max-width: 100%" src="{inline(told.learned_picture)}">'


def _cell(text: str) -> str:
    """Return a text that Markdown shows as it is, in a table."""
    return html.escape(text, quote=False).replace("|", "&#124;")


Table = tuple[list[str], list[list[str]]]
"""Names of the columns, and rows of cells."""


def _tables(told: Told) -> dict[str, Table]:
    results = [[name, f"{value:.4g}"] for name, value in sorted(told.results.items()) if name != "epoch"]
    found: dict[str, Table] = {"Results": (["metric", "value"], results)}
    settings = [list(setting.partition("=")[::2]) for setting in told.settings]
    found["Settings that differ from the defaults"] = (["setting", "value"], settings or [["none", ""]])
    if told.found is not None:
        rows = [
            [name, str(images), "" if math.isnan(share) else f"{100 * share:.1f} %"]
            for name, (images, share) in zip(told.classes, told.found.per_class(), strict=True)
        ]
        found[f"Classes of {told.split}"] = (["class", "images", "accuracy"], rows)
        found["Most frequent confusions"] = (["class", "taken for", "images"], _confusions(told.classes, told.found))
    if told.speed:
        shares = [[name, f"{100 * told.speed[name]:.1f} %"] for name in ("data", "augmentation", "network")]
        rate = [["images per second", f"{told.speed['images/s']:.0f}"]]
        found["Where the time of training went"] = (["what", "share"], [*rate, *shares])
    found["Environment"] = (["what", "value"], [[name, text] for name, text in told.environment.items()])
    return found


def _confusions(classes: list[str], found: Predictions, most: int = 10) -> list[list[str]]:
    counts = found.confusion.cpu().clone()
    counts.fill_diagonal_(0)
    values, places = counts.flatten().topk(min(most, counts.numel()))
    pairs = zip(values.tolist(), places.tolist(), strict=True)
    names = [(classes[place // len(classes)], classes[place % len(classes)], count) for count, place in pairs if count]
    return [[label, predicted, str(count)] for label, predicted, count in names] or [["none", "", ""]]


def _table(columns: list[str], rows: list[list[str]]) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _matrix(classes: list[str], found: Predictions) -> str:
    """Return the confusions, a row for each class, darker where more of its images were taken for the column's."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in classes)
    lines = []
    for name, counts in zip(classes, found.confusion.tolist(), strict=True):
        total = max(1, sum(counts))
        cells = "".join(
            f'<td style="background: rgba(40, 110, 200, {count / total:.2f}); color: {_ink(count / total)}">'
            f"{count or ''}</td>"
            for count in counts
        )
        lines.append(f"<tr><th>{html.escape(name)}</th>{cells}</tr>")
    table = f'<table class="matrix"><tr><th></th>{head}</tr>{"".join(lines)}</table>'
    return f"<p>Rows are classes, columns what was predicted.</p>{table}"


def _ink(share: float) -> str:
    """Return a colour that can be read on a cell of the confusions."""
    return "white" if share > 0.5 else "inherit"


def _figure(tile: Tile) -> str:
    return f'<figure><img alt="" src="{inline(tile.picture)}">{"<br>".join(map(html.escape, tile.lines))}</figure>'
