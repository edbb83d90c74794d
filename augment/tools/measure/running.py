"""Runs parts one after the other until the time is over; a finished part stays finished."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from augment.tools.measure.parts import Part, Settings

LEAST = 20.0
"""Seconds below which no part starts: importing torch and compiling one recipe take about as long."""


@dataclass(frozen=True)
class Outcome:
    """How a part ended.

    Attributes:
        state: "finished", "failed", "cut off" (time ran out) or "left out" (it did not start).
        seconds: how long it ran.
        attempts: how many calls have started it.
        why: the reason if it is not finished.
    """

    state: str
    seconds: float = 0.0
    attempts: int = 0
    why: str = ""


class Journal:
    """The outcomes of a folder, in a file that is replaced as a whole, so that an interruption leaves it readable."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "outcomes.json"
        found = json.loads(self._file.read_text()) if self._file.exists() else {}
        self.settings: dict[str, object] = found.get("settings", {})
        self.outcomes = {name: Outcome(**fields) for name, fields in found.get("outcomes", {}).items()}

    def save(self, settings: Settings) -> None:
        text = json.dumps({"settings": asdict(settings), "outcomes": {n: asdict(o) for n, o in self.outcomes.items()}})
        beside = self._file.with_suffix(".new")
        beside.write_text(text + "\n")
        beside.replace(self._file)


def run_parts(
    parts: Sequence[Part],
    settings: Settings,
    folder: Path,
    journal: Journal,
    seconds: float,
    tell: Callable[[str], None],
) -> None:
    """Run the parts that are not finished, within a number of seconds, and record how each ended.

    Parts that earlier calls started in vain come last, so that one slow part does not keep the others out.
    """
    end = time.monotonic() + seconds
    done = journal.outcomes
    waiting = [part for part in parts if part.name not in done or done[part.name].state != "finished"]
    for part in sorted(waiting, key=lambda part: done.get(part.name, Outcome("left out")).attempts):
        before, left = done.get(part.name, Outcome("left out")), end - time.monotonic()
        if why := part.missing(settings):
            done[part.name] = Outcome("left out", attempts=before.attempts, why=why)
        elif left < LEAST:
            done[part.name] = _not_reached(before)
        else:
            tell(f"{part.name}: at most {left:.0f} s")
            done[part.name] = _one(part, settings, folder, left, before.attempts + 1)
            tell(f"{part.name}: {done[part.name].state} {done[part.name].why}".rstrip())
        journal.save(settings)


def _not_reached(before: Outcome) -> Outcome:
    """Return the outcome of a part that the time did not reach; how it failed earlier remains."""
    return before if before.attempts else Outcome("left out", why="the time was over before it")


def _one(part: Part, settings: Settings, folder: Path, limit: float, attempts: int) -> Outcome:
    """Run one part; its files get their names when it has finished, and are called unfinished until then."""
    endings = (".json", ".md")
    made = [folder / f"{part.name}.unfinished{ending}" for ending in endings]
    log = folder / f"{part.name}.log"
    start = time.monotonic()
    code = _in_process([sys.executable, *part.command(settings, *map(str, made))], log, limit)
    took = round(time.monotonic() - start, 1)
    if code is None:
        return Outcome("cut off", took, attempts, f"after {took:.0f} s; {log.name} says how far it came")
    if code or not all(file.exists() for file in made):
        lines = log.read_text(errors="replace").strip().splitlines()
        return Outcome("failed", took, attempts, lines[-1][:200] if lines else f"exit status {code}")
    for file, ending in zip(made, endings, strict=True):
        file.replace(folder / f"{part.name}{ending}")
    return Outcome("finished", took, attempts)


def _in_process(command: Sequence[str], log: Path, limit: float) -> int | None:
    """Return the exit status of a command; None if it was ended, with all processes it started, at the limit."""
    with log.open("w") as told:
        running = subprocess.Popen(command, stdout=told, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            return running.wait(limit)
        except subprocess.TimeoutExpired:
            return None
        finally:  # also after Ctrl-C, which a session of its own does not receive
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            running.wait()
