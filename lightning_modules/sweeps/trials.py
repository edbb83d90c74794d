"""A trial of a sweep, which runs in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from lightning_modules.errors import UserError
from lightning_modules.saving.whole_file import whole_file

RESULTS = "results.json"
"""Name of the file with the results of a run."""


@dataclass(frozen=True)
class Trial:
    """A trial that has ended.

    Attributes:
        number: its number in the sweep.
        overrides: its overrides.
        folder: its folder.
        minutes: how long it took.
        error: why it failed; None if it did not.
        best: best value of the metric that the run monitors, by name; empty if there is none.
        test: results of the test, by name.
    """

    number: int
    overrides: Sequence[str]
    folder: Path
    minutes: float
    error: str | None = None
    best: dict[str, float] = field(default_factory=dict)
    test: dict[str, float] = field(default_factory=dict)

    @property
    def score(self) -> float | None:
        """The number that sweepers compare; None if the trial failed."""
        return next(iter(self.best.values()), None)


def readable(name: str, value: float) -> str:
    """Return a result as it is shown: accuracies in percent."""
    return f"{100 * value:.2f} %" if "acc" in name else f"{value:.4f}"


def write_results(folder: str, best: dict[str, float], test: dict[str, float]) -> None:
    """Write the results of a run into its folder."""
    with whole_file(Path(folder) / RESULTS) as file:
        file.write(json.dumps({"best": best, "test": test}, indent=1).encode())


def run_trial(number: int, overrides: Sequence[str], command: list[str], folder: Path) -> tuple[Trial, int | None]:
    """Run a command, and return the trial and the first SIGTERM or Ctrl-C that this process received meanwhile."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        raise UserError("--multirun starts the processes of every trial: run it with python instead of torchrun.")
    began = time.monotonic()
    with _started(command) as (process, received):
        said: list[str] = []
        echo = threading.Thread(target=_echo, args=(process, said), daemon=True)
        echo.start()
        code = process.wait()
    with suppress(AttributeError, ProcessLookupError):  # Windows has no groups; usually no process is left
        os.killpg(process.pid, signal.SIGKILL)
    echo.join(timeout=5)
    error, results = _reason(code, said), {}
    if error is None:
        results = json.loads((folder / RESULTS).read_text())
    minutes = (time.monotonic() - began) / 60
    return Trial(number, overrides, folder, minutes, error, **results), next(iter(received), None)


@contextmanager
def _started(command: list[str]) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Start a process, pass SIGTERM and Ctrl-C on to it, and list those that arrived, also while it started."""
    received: list[int] = []
    early: list[int] = []
    started: list[subprocess.Popen[str]] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if started:
            started[0].send_signal(number)
        else:
            early.append(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        # in a process group of its own, so that Ctrl-C reaches the trial once
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="replace", process_group=0)
        started.append(process)
        for number in early:
            process.send_signal(number)
        yield process, received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _echo(process: subprocess.Popen[str], said: list[str]) -> None:
    """Print what a process writes to stderr, and remember the last lines."""
    for line in process.stderr or ():
        sys.stderr.write(line)
        said[:] = [*said[-50:], line.strip()]


def _reason(code: int, said: list[str]) -> str | None:
    """Return why a process failed, from its exit code and its last lines on stderr; None if it did not fail."""
    if code == 0:
        return None
    number = -code if code < 0 else code - 128
    if number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        return f"ended by {signal.Signals(number).name}"
    errors = [line.removeprefix("error: ") for line in said if line.startswith("error: ")]
    return (errors or [line for line in said if line] or [f"exit code {code}"])[-1]
