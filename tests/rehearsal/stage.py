"""The runs of a rehearsal, and the run without a fault that they are compared with."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

ROOT = Path(__file__).parents[2]
TRAIN = [sys.executable, str(ROOT / "train.py")]
SETTINGS = [
    "data=folder",
    "data.size=32",
    "data.num_workers=1",
    "data.batch_size=8",
    "augment=randaugment",
    "+model.drop_rate=0.5",  # the weights then also depend on torch's generator
    "trainer.max_epochs=2",
    "trainer.limit_train_batches=8",
    "trainer.accumulate_grad_batches=2",  # four steps per epoch
    "trainer.log_every_n_steps=2",
    "trainer.enable_progress_bar=false",
    "trainer.enable_model_summary=false",
    "logger=csv",
    "callbacks.last.minutes=1e-9",  # a checkpoint after every step
]
SECONDS = 600
"""Time after which a run counts as hanging; on a busy machine a run of half a minute has taken more than three."""


class BrokenPromiseError(Exception):
    """What a run should have done, and did not."""


def promise(kept: bool, what: str) -> None:
    if not kept:
        raise BrokenPromiseError(what)


@dataclass(frozen=True)
class Ended:
    """A run that has ended.

    Attributes:
        code: its exit code, or -9 if SIGKILL ended it.
        out, err: what it printed.
    """

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The sentence that a run ends with if the user can fix the cause."""
        lines = self.err.splitlines()
        promise(self.code == 2, f"exit code 2, but it was {self.code}: {lines[-1:]}")
        errors = [line for line in lines if line.startswith("error: ")]
        promise(len(errors) == 1 and "Traceback" not in self.err, f"one sentence, but it said: {self.err[-500:]}")
        return errors[0]


class Stage:
    """A folder for the runs on one data set.

    Args:
        folder: an empty folder.
        images: a folder with one folder of images per class.
        command: the program to rehearse, without its arguments.
    """

    def __init__(self, folder: Path, images: Path, command: list[str] = TRAIN) -> None:
        self.folder, self.images, self.command = folder, images, command
        self.codes: list[int] = []
        self._kept: dict[str, Path] = {}

    def run(self, folder: Path, *overrides: str, processes: int = 1) -> Ended:
        """Run train.py in a folder, which may hold an earlier part of the same run."""
        folder.mkdir(parents=True, exist_ok=True)
        trainer = "trainer=cpu" if processes == 1 else "trainer=ddp_cpu"
        settings = [*SETTINGS, trainer, f"data.root={self.images}", f"hydra.run.dir={folder}"]
        given = {override.partition("=")[0] for override in overrides}
        settings = [setting for setting in settings if setting.partition("=")[0] not in given]
        number = len(list(folder.glob("out*.txt")))
        out, err = folder / f"out{number}.txt", folder / f"err{number}.txt"  # files, because a pipe may be held open
        with out.open("w") as stdout, err.open("w") as stderr:
            process = subprocess.Popen(
                [*self.command, *settings, *overrides],
                cwd=self.folder,
                env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
            try:
                code = process.wait(SECONDS)
            except subprocess.TimeoutExpired as error:
                raise BrokenPromiseError(f"an end within {SECONDS} s") from error
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # workers of a killed process live on for some seconds
        self.codes.append(code)
        return Ended(code, out.read_text(), err.read_text())

    def whole(self, processes: int = 1) -> Path:
        """Return the folder of a run without a fault."""
        return self._once(f"whole{processes}", 0, processes=processes)

    def stopped(self) -> Path:
        """Return the folder of a run that SIGTERM ended in its second epoch."""
        return self._once("stopped", 143, *send(signal.SIGTERM))

    def _once(self, name: str, code: int, *overrides: str, processes: int = 1) -> Path:
        if name not in self._kept:
            ended = self.run(self.folder / name, *overrides, processes=processes)
            promise(ended.code == code, f"a run that ends with {code}, but it was {ended.code}: {ended.err[-500:]}")
            self._kept[name] = self.folder / name
        return self._kept[name]

    def continued(self, folder: Path, checkpoint: Path, processes: int = 1) -> None:
        """Continue a run, and compare its end with a run without a fault."""
        whole = self.whole(processes)
        ended = self.run(folder, f"ckpt_path={checkpoint}", processes=processes)
        promise(ended.code == 0, f"that it continues from {checkpoint}, but: {ended.err[-500:]}")
        ours, reference = (weights(place / "checkpoints" / "last.ckpt") for place in (folder, whole))
        same = ours.keys() == reference.keys() and all(torch.equal(ours[name], reference[name]) for name in ours)
        promise(same, "the same weights as without the fault")
        promise(tested(folder) == tested(whole), "the same test results as without the fault")

    def copy(self, source: Path, name: str) -> Path:
        return Path(shutil.copytree(source, self.folder / name))


def send(number: int, rank: int = 0) -> list[str]:
    """Return overrides that send a signal within the second epoch, in the middle of an accumulation window."""
    arguments = {"number": int(number), "rank": rank, "epoch": 1, "batch": 2}
    return blow("tests.trainer.test_interruption.Signal", **arguments)


def blow(target: str, **arguments: int) -> list[str]:
    """Return overrides that add a callback."""
    given = {"_target_": target} | arguments
    return [f"+callbacks.blow.{name}={value}" for name, value in given.items()]


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


def tested(folder: Path) -> dict[str, str]:
    """Return the results of the test from the log of a run."""
    *_, last = csv.DictReader((folder / "csv" / "metrics.csv").open())
    return {name: value for name, value in last.items() if name.startswith("test/")}
