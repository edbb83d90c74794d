"""The command `python -m augment measure`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from augment.tools.arguments import device_of, positive
from augment.tools.bench.measure import to_stderr
from augment.tools.bench.report import markdown_table
from augment.tools.errors import ToolError
from augment.tools.measure.parts import PARTS, Settings
from augment.tools.measure.running import Journal, run_parts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="FOLDER", help="where the results go; a later call continues there")
    parser.add_argument("--minutes", type=positive, default=10, help="limit of this call (%(default)s)")
    parser.add_argument("--device", default="auto", help="cpu, cuda, or auto to use a GPU if available (%(default)s)")
    parser.add_argument("--batch", type=positive, help="images per batch (256 on a GPU, 64 on a CPU)")
    parser.add_argument("--rounds", type=positive, default=5, help="number of timed rounds (%(default)s)")
    parser.add_argument("--threads", type=positive, default=os.cpu_count(), help="CPU threads (%(default)s)")
    parser.add_argument("--images", metavar="DIR", help="image files for the measurement from files to a network")


def run(arguments: argparse.Namespace, given: Sequence[str]) -> None:
    device = device_of(arguments.device)
    on_gpu = device.type == "cuda"
    if arguments.images and not Path(arguments.images).is_dir():
        raise ToolError(f"--images: {arguments.images!r} is no folder.")
    batch, dtype = arguments.batch or (256 if on_gpu else 64), "bfloat16" if on_gpu else "float32"
    settings = Settings(str(device), batch, arguments.rounds, arguments.threads, dtype, arguments.images)
    folder = _made(arguments.folder)
    journal = _journal(folder, settings)
    run_parts(PARTS, settings, folder, journal, 60.0 * arguments.minutes, to_stderr)
    text = summary(journal)
    (folder / "summary.md").write_text(text)
    print(text)


def _made(name: str) -> Path:
    """Return a folder in which files can be written."""
    folder = Path(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial = folder / ".trial"
        trial.write_text("")
        trial.unlink()
    except OSError as error:
        raise ToolError(f"{name}: no results can be written there ({error.strerror}); give another folder.") from error
    return folder


def _journal(folder: Path, settings: Settings) -> Journal:
    """Return the journal of a folder, whose settings must be these; only the image files may be named later."""
    try:
        journal = Journal(folder)
    except (ValueError, TypeError, AttributeError) as error:
        raise ToolError(f"{folder / 'outcomes.json'} cannot be read; give another folder.") from error
    asked = asdict(settings)
    other = [f"{k} {v}" for k, v in journal.settings.items() if k != "images" and asked.get(k) != v]
    if other:
        raise ToolError(f"{folder} holds measurements with {', '.join(other)}; ask for the same, or give a new folder.")
    return journal


def summary(journal: Journal) -> str:
    """Return what was measured, and a sentence for each part that was not."""
    named = {part.name: journal.outcomes[part.name] for part in PARTS if part.name in journal.outcomes}
    rows = [(name, one.state, f"{one.seconds:.0f}", str(one.attempts)) for name, one in named.items()]
    lines = markdown_table(("part", "state", "seconds", "attempts"), rows)
    missing = [f"- {name} was {one.state}: {one.why}." for name, one in named.items() if one.state != "finished"]
    again = any(one.state == "cut off" or one.why.startswith("the time") for one in named.values())
    lines += ["", *missing, *(["", "The same command continues with what the time did not allow."] if again else [])]
    return "\n".join(lines).replace("was failed", "has failed").rstrip() + "\n"
