"""The command `python -m augment shrink`."""

from __future__ import annotations

import argparse
import csv
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from augment.tools.arguments import positive
from augment.tools.decoding import colour
from augment.tools.errors import ToolError, required
from augment.tools.scanning import images_below, listed
from augment.tools.shrink.shards import class_folders, pack
from augment.tools.shrink.work import FORMATS, Job, Outcome, shrink

REPORT = "shrink_report.csv"
TINY = 32
"""Length of the shorter side in pixels below which an original is listed in the report."""
STAGED = "images"
"""Folder in the output for what will be packed into shards; removed when all are written."""
_AT_ONCE = 64
"""Images that a process gets at a time."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", help="a folder of image files, with folders inside")
    parser.add_argument("output", help="the folder to write, with the same folders inside, or shards")
    parser.add_argument(
        "--to", default="folder", choices=("folder", "webdataset"), help="files, or tar shards (%(default)s)"
    )
    parser.add_argument(
        "--shard-size", type=positive, default=256, help="10^6 bytes from which on a shard is complete (%(default)s)"
    )
    parser.add_argument(
        "--size", type=positive, default=256, help="shorter side in pixels; smaller images keep theirs (%(default)s)"
    )
    parser.add_argument("--format", default="jpg", choices=FORMATS, help="format of the files (%(default)s)")
    parser.add_argument("--quality", type=positive, default=92, help="of jpg and webp, 1 to 100 (%(default)s)")
    parser.add_argument("--background", default="white", help="colour behind transparent images (%(default)s)")
    parser.add_argument("--workers", type=positive, default=os.cpu_count(), help="processes that shrink (%(default)s)")


def run(arguments: argparse.Namespace, given: Sequence[str]) -> None:
    required("PIL", "pillow", "shrinking images")
    source, output = Path(arguments.images), Path(arguments.output)
    if not source.is_dir():
        raise ToolError(f"{source} is not a folder; give a folder of image files.")
    if output.resolve() == source.resolve() or source.resolve() in output.resolve().parents:
        raise ToolError(f"{output} must lie outside of {source}, whose images it would join.")
    if arguments.quality > 100:
        raise ToolError(f"--quality: {arguments.quality} must be from 1 to 100.")
    try:
        colour(arguments.background)
    except ValueError as error:
        raise ToolError(f"--{error}") from error
    if arguments.to == "webdataset":
        class_folders(source)  # raises before hours of work, not after
    left_out: Counter[str] = Counter()
    files = [Path(path) for path in images_below(source, left_out).values()]
    if not files:
        raise ToolError(f"{source} holds no image files that Pillow reads.")
    images = output if arguments.to == "folder" else output / STAGED
    if images is not output and not images.exists() and any(output.glob("*.tar")):
        raise ToolError(f"{output} holds shards already; remove them, or give another folder.")
    targets = _targets(files, source, images, arguments.format)
    jobs = [
        Job(file, target, arguments.size, arguments.quality, arguments.background)
        for file, target in targets.items()
        if not target.exists()
    ]
    problems = _problems(_progress(_outcomes(jobs, arguments.workers), len(jobs)))
    output.mkdir(parents=True, exist_ok=True)
    with open(output / REPORT, "w", newline="") as report:
        csv.writer(report).writerows([("file", "problem"), *problems])
    if images is not output:
        pack(images, output, arguments.shard_size * 1_000_000)
        shutil.rmtree(images)
    done = len(files) - len(jobs)
    told = [f"{output}: {len(files) - sum(row[1].startswith('unreadable') for row in problems)} images"]
    told += [f"{done} of them from an earlier call"] * bool(done) + [f"ignored {listed(left_out)}"] * bool(left_out)
    told += [f"{len(problems)} problems in {output / REPORT}"] * bool(problems)
    print("; ".join(told))


def _targets(files: Sequence[Path], source: Path, output: Path, suffix: str) -> dict[Path, Path]:
    """Return the path to write for each file; a second file of the same stem keeps its old suffix in the name."""
    targets: dict[Path, Path] = {}
    taken: set[Path] = set()
    for file in files:
        place = output / file.relative_to(source)
        target = place.with_suffix(f".{suffix}")
        targets[file] = target if target not in taken else place.with_name(f"{place.name}.{suffix}")
        taken.add(targets[file])
    return targets


def _outcomes(jobs: Sequence[Job], workers: int) -> Iterator[Outcome]:
    """Yield the outcomes in the order of the jobs."""
    if workers == 1 or len(jobs) < 2:
        yield from map(shrink, jobs)
        return
    # torch's threads do not survive a fork
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=get_context("spawn")) as pool:
        yield from pool.map(shrink, jobs, chunksize=max(1, min(_AT_ONCE, len(jobs) // (4 * workers))))


def _progress(outcomes: Iterator[Outcome], count: int) -> Iterable[Outcome]:
    """Show a progress bar on a terminal, if rich is installed."""
    try:
        from rich.progress import track
    except ImportError:
        return outcomes
    return track(outcomes, "shrinking", count, transient=True)


def _problems(outcomes: Iterable[Outcome]) -> list[tuple[str, str]]:
    """Return (file, problem) for what is unreadable, a copy of another file, or tiny."""
    problems, first = [], dict[str, Path]()
    for outcome in outcomes:
        if outcome.problem is not None:
            problems.append((str(outcome.source), f"unreadable: {outcome.problem}"))
            continue
        other = first.setdefault(outcome.digest, outcome.source)
        if other is not outcome.source:
            problems.append((str(outcome.source), f"a copy of {other}"))
        if outcome.shorter < TINY:
            problems.append((str(outcome.source), f"tiny: the shorter side has {outcome.shorter} pixels"))
    return problems
