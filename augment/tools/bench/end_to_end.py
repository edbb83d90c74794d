"""`python -m augment bench --end-to-end DIR`: images per second of one core, from files to the input of a network."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from augment.tools.arguments import check_files
from augment.tools.bench import report as reports
from augment.tools.bench.measure import prefixes, to_stderr, with_prefix
from augment.tools.bench.readers import READERS, Reader, Step
from augment.tools.bench.timing import Timing
from augment.tools.errors import required
from augment.tools.images import image_files

COLUMNS = ("images/s", "spread", "augment is", "ms an image", "decoding", "a worker's images/s", "augment is")
LEGEND = (
    "images/s: of one core that does everything. a worker's images/s: of one core in a data loader's worker; this "
    "library leaves augmentation to the model's device, the others augment in the worker."
)


@dataclass(frozen=True)
class Row:
    """One reader.

    Attributes:
        images_per_s: of one core, the median over the rounds; None if it was not measured, see `note`.
        spread: half the distance between the quartiles over the median.
        decoding: share of the time that decoding takes.
        ratio: speed of the first reader, this library, divided by the speed of this one.
        worker: images per second of one core in a worker, which leaves to the model what can run there.
        worker_ratio: the same ratio for `worker`.
    """

    reader: str
    images_per_s: float | None = None
    spread: float = 0.0
    decoding: float = 0.0
    ratio: float | None = None
    worker: float = 0.0
    worker_ratio: float | None = None
    note: str | None = None

    def plain(self) -> dict[str, object]:
        return asdict(self)


def run(arguments: argparse.Namespace, given: Sequence[str]) -> None:
    check_files(arguments.json, arguments.markdown)
    if arguments.json != "-":
        required("rich", "rich", "the table")
    files = image_files(arguments.end_to_end)
    names = with_prefix([reader.name for reader in READERS], prefixes(arguments.only))
    asked = [reader for reader in READERS if reader.name in names]
    skipped = {reader.name: why for reader in asked if (why := reader.missing())}
    for name, why in skipped.items():
        to_stderr(f"skipped {name}: {why}")
    arguments.threads = 1
    torch.set_num_threads(1)
    report = reports.about("bench", given, arguments, torch.device("cpu"), skipped)
    readers = [reader for reader in asked if reader.name not in skipped]
    rows = measured(readers, files, arguments.batch, arguments.out, arguments.rounds)
    reports.save(arguments, report, rows, markdown)
    reports.tell(arguments, report, rows, print_table)


def measured(readers: Sequence[Reader], files: Sequence[Path], batch: int, out: int, rounds: int) -> list[Row]:
    """Return a row for each reader; in each round, every reader takes the same batch in turn."""
    made: dict[str, tuple[Step, Step]] = {}
    notes: dict[str, str] = {}
    for reader in readers:
        try:
            made[reader.name] = reader.make(out)
            _seconds(made[reader.name], files[:batch])  # the first batch is not measured
        except Exception as error:  # a peer that does not run here must not end the bench
            made.pop(reader.name, None)
            notes[reader.name] = f"{type(error).__name__}: {error}".splitlines()[0]
            to_stderr(f"skipped {reader.name}: {notes[reader.name]}")
    turns: dict[str, list[tuple[float, float]]] = {name: [] for name in made}
    for number in range(rounds):
        some = [files[(number * batch + place) % len(files)] for place in range(batch)]
        for name, steps in made.items():
            turns[name].append(_seconds(steps, some))
    return _rows(readers, turns, notes, batch)


def _seconds(steps: tuple[Step, Step], paths: Sequence[Path]) -> tuple[float, float]:
    """Return how long decoding and augmenting a batch took."""
    start = time.perf_counter()
    decoded = steps[0](paths)
    middle = time.perf_counter()
    steps[1](decoded)
    return middle - start, time.perf_counter() - middle


def _rows(
    readers: Sequence[Reader], turns: dict[str, list[tuple[float, float]]], notes: dict[str, str], batch: int
) -> list[Row]:
    rows: list[Row] = []
    first: tuple[float, float] | None = None
    for reader in readers:
        if reader.name not in turns:
            rows.append(Row(reader.name, note=notes.get(reader.name)))
            continue
        decoding = [seconds for seconds, _ in turns[reader.name]]
        whole = [sum(seconds) for seconds in turns[reader.name]]
        median, worker = statistics.median(whole), statistics.median(decoding if reader.in_model else whole)
        first = first or (median, worker)
        spread, share = Timing(whole).spread, sum(decoding) / sum(whole)
        ratios = median / first[0], worker / first[1]
        rows.append(Row(reader.name, batch / median, spread, share, ratios[0], batch / worker, ratios[1]))
    return rows


def cells(row: Row) -> list[str]:
    """Format a row in the order of COLUMNS."""
    if row.images_per_s is None:
        return ["-"] * len(COLUMNS)
    return [
        f"{row.images_per_s:,.0f}" if row.images_per_s >= 10 else f"{row.images_per_s:.1f}",
        f"±{row.spread:.0%}",
        f"{row.ratio:.2f} x",
        f"{1e3 / row.images_per_s:.2f}",
        f"{row.decoding:.0%}",
        f"{row.worker:,.0f}",
        f"{row.worker_ratio:.2f} x",
    ]


def print_table(report: dict[str, Any], rows: Sequence[Row]) -> None:
    console = reports.console()
    title = "files to the input of a network, one core"
    console.print(reports.table(title, ("reader", *COLUMNS), [(row.reader, *cells(row)) for row in rows]))
    console.print(LEGEND)


def _headline(report: dict[str, Any]) -> str:
    settings, found = report["settings"], report["environment"]
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    work = f"batch {settings['batch']}, files -> {settings['out']}²"
    return f"{found['processor']}, one thread; {work}; {found['date']}; {versions}"


def markdown(report: dict[str, Any], rows: Sequence[Row]) -> str:
    """Return the table as Markdown."""
    lines = [
        f"{_headline(report)}.",
        "",
        f"    {report['command']}",
        "",
        *reports.markdown_table(("reader", *COLUMNS), [(row.reader, *cells(row)) for row in rows]),
        "",
        LEGEND,
    ]
    return "\n".join(lines) + "\n"
