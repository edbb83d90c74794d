"""The report of an evaluation: tables on the screen, evaluation.json and evaluation.csv."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from augment.recipes.corruptions import SEVERITIES
from lightning_modules.console import screen
from lightning_modules.saving.whole_file import whole_file

MATRIX = 10
"""Most classes whose confusion matrix is shown; more do not fit on a screen."""

HARDEST = 20
"""How many classes are shown of more, those with the lowest accuracy."""


@dataclass(frozen=True)
class Report:
    """The results of an evaluation.

        Report(["cat", "dog"], [[8, 2], [1, 9]], 0.03, {"fog": [0.8, 0.7, 0.6, 0.5, 0.4]}).accuracy  # 0.85

    Attributes:
        classes: names of the classes.
        confusion: numbers of images, one row per true class, one column per answer.
        calibration_error: expected difference of confidence and accuracy, in [0, 1].
        corruptions: accuracy at severities 1 to 5, by the name of the corruption.
    """

    classes: list[str]
    confusion: list[list[int]]
    calibration_error: float
    corruptions: dict[str, list[float]]

    @property
    def images(self) -> int:
        return sum(map(sum, self.confusion))

    @property
    def accuracy(self) -> float:
        """Share of images that are answered right."""
        return sum(row[i] for i, row in enumerate(self.confusion)) / max(self.images, 1)

    @property
    def class_accuracies(self) -> list[float | None]:
        """Share of each class's images that are answered right; None for a class without images."""
        return [row[i] / sum(row) if sum(row) else None for i, row in enumerate(self.confusion)]

    @property
    def corruption_accuracy(self) -> float | None:
        """Mean accuracy over corruptions and severities; None without corruptions."""
        means = [sum(values) / len(values) for values in self.corruptions.values()]
        return sum(means) / len(means) if means else None


def write_report(report: Report, folder: str | Path) -> None:
    """Write evaluation.json, with everything, and evaluation.csv, with a value per row.

    write_report(report, "outputs")
    """
    summary = {
        "images": report.images,
        "accuracy": report.accuracy,
        "class_accuracies": report.class_accuracies,
        "corruption_accuracy": report.corruption_accuracy,
    }
    with whole_file(Path(folder) / "evaluation.json") as file:
        file.write(json.dumps(summary | asdict(report), indent=1).encode())
    text = io.StringIO()
    csv.writer(text).writerows([("measure", "name", "severity", "value"), *_rows(report)])
    with whole_file(Path(folder) / "evaluation.csv") as file:
        file.write(text.getvalue().encode())


def _rows(report: Report) -> Iterator[tuple[str, str, str, float | None]]:
    yield "images", "", "", report.images
    yield "accuracy", "", "", report.accuracy
    yield "calibration_error", "", "", report.calibration_error
    for name, value in zip(report.classes, report.class_accuracies, strict=True):
        yield "class_accuracy", name, "", value
    for name, values in report.corruptions.items():
        for severity, value in zip(SEVERITIES, values, strict=True):
            yield "corrupted_accuracy", name, str(severity), value
    if report.corruptions:
        yield "corruption_accuracy", "", "", report.corruption_accuracy


def print_report(report: Report, folder: str | Path) -> None:
    """Print the tables of a report.

    print_report(report, "outputs")
    """
    console = screen()
    table = Table(show_header=False, title=f"evaluation of {report.images} images")
    table.add_row("accuracy", _percent(report.accuracy))
    table.add_row("expected calibration error", f"{report.calibration_error:.4f}")
    if report.corruptions:
        table.add_row("mean accuracy of corrupted images", _percent(report.corruption_accuracy))
    table.add_row("files", f"{Path(folder) / 'evaluation.json'}, .csv")
    console.print(table, _class_table(report))
    if report.corruptions:
        console.print(_corruption_table(report))


def _class_table(report: Report) -> Table:
    """Return the confusion matrix of few classes, or the hardest of many classes with their most frequent mistakes."""
    order, names = range(len(report.classes)), [escape(name) for name in report.classes]
    accuracies = report.class_accuracies
    if len(order) <= MATRIX:
        table = Table("class", "accuracy", *names, title="confusion matrix: rows are classes, columns answers")
        for i in order:
            table.add_row(names[i], _percent(accuracies[i]), *map(str, report.confusion[i]))
        return table
    table = Table(
        "class", "images", "accuracy", "most often taken for", title=f"the {min(HARDEST, len(order))} hardest classes"
    )
    hardest = sorted((value, i) for i, value in enumerate(accuracies) if value is not None)
    for value, i in hardest[:HARDEST]:
        row = report.confusion[i]
        count, taken = max((row[j], -j) for j in order if j != i)
        mistake = f"{names[-taken]} ({count})" if count else ""
        table.add_row(names[i], str(sum(row)), _percent(value), mistake)
    return table


def _corruption_table(report: Report) -> Table:
    table = Table("corruption", *map(str, SEVERITIES), "mean", title="accuracy of corrupted images, by severity")
    for name, values in report.corruptions.items():
        table.add_row(name, *map(_percent, [*values, sum(values) / len(values)]))
    return table


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f} %"
