"""The faults: each function does harm, checks what was promised, and returns what happened in a few words."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import yaml

from lightning_modules.saving.saved import damage, step_of
from tests.rehearsal.stage import Stage, blow, promise, send, weights

Fault = Callable[[Stage, Path], str]
"""Takes the stage and a folder for the run."""


def interrupted(
    stage: Stage, folder: Path, harm: list[str], codes: set[int], processes: int = 1, says: str = ""
) -> str:
    """Interrupt a run in its second epoch, and continue it from last.ckpt.

    Args:
        stage, folder: see Fault.
        harm: overrides that do the harm.
        codes: the exit codes that are right.
        processes: number of processes.
        says: what the error must contain if the exit code is 2.
    """
    ended = stage.run(folder, *harm, processes=processes)
    promise(ended.code in codes, f"exit code {codes}, but it was {ended.code}: {ended.err[-500:]}")
    promise(ended.code != 2 or says in ended.error, f"an error that says {says!r}, but it was: {ended.err[-500:]}")
    last = folder / "checkpoints" / "last.ckpt"
    promise(damage(last) is None, "a whole last.ckpt")
    step = step_of(last)
    promise(step is not None and 4 <= step < 8, f"a checkpoint of the second epoch, but it is of step {step}")
    stage.continued(folder, last, processes)
    return f"continued from step {step} of 8: same weights, same test"


def not_finite(stage: Stage, folder: Path) -> str:
    """A learning rate that is far too large."""
    said = stage.run(folder, "optimizer.lr=1e30").error
    promise("the loss is NaN or infinite in " in said, f"an error about the loss, but it was: {said}")
    kept = list((folder / "checkpoints").glob("*.ckpt"))
    finite = all(weight.isfinite().all() for path in kept for weight in weights(path).values())
    promise(finite, "checkpoints with finite weights only")
    (record,) = folder.glob("replay-*.json")
    again = stage.run(stage.folder / f"{folder.name}-replay", f"replay={record}")
    promise(again.error.partition(", for ")[0] == said.partition(", for ")[0], f"the same loss, but: {again.error}")
    promise("the first value that is not finite is in " in again.out, "the layer with the first NaN or infinity")
    return f"stopped at step {json.loads(record.read_text())['step']}; replay=FILE repeats the batch"


def unreadable_image(stage: Stage, folder: Path) -> str:
    """Truncated files, as after an interrupted download; the few images that are checked before training are whole."""
    images = shutil.copytree(stage.images, stage.folder / "broken-images")
    place = sorted(path for path in images.iterdir() if path.is_dir())[-1]
    paths = sorted(place.iterdir())
    for path in paths[1::2]:
        path.write_bytes(path.read_bytes()[:60])
    said = stage.run(folder, f"data.root={images}", "trainer.limit_train_batches=null").error
    named = any(str(path) in said for path in paths[1::2])
    promise("cannot read the image" in said and named, f"an error that names the file, but it was: {said}")
    return "one sentence names the file"


def harmed_checkpoint(stage: Stage, folder: Path, harm: Callable[[Path], None], says: str) -> str:
    """Damage last.ckpt, and do what the error recommends."""
    shutil.copytree(stage.stopped(), folder)
    last = folder / "checkpoints" / "last.ckpt"
    harm(last)
    said = stage.run(folder, f"ckpt_path={last}").error
    promise(says in said, f"an error that says {says!r}, but it was: {said}")
    advised = re.search(r"use ckpt_path=(.*)\.$", said)
    promise(advised is not None, f"another checkpoint to use, but: {said}")
    stage.continued(folder, Path(advised[1]))
    return f"refused; {Path(advised[1]).name}, which the error names, continues: same weights, same test"


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size * 2 // 3)


def flip_bit(path: Path) -> None:
    """Flip a bit in the middle of the largest record."""
    with zipfile.ZipFile(path) as archive:
        record = max(archive.infolist(), key=lambda info: info.file_size)
    content = bytearray(path.read_bytes())
    content[record.header_offset + 200 + record.file_size // 2] ^= 1
    path.write_bytes(content)


def evil_augmentation(stage: Stage, folder: Path) -> str:
    """An augment file that creates a file when it is built."""
    trap = stage.folder / "trap-of-the-file"
    file = stage.folder / "evil.yaml"
    touch = {"_target_": "pathlib.Path.touch", "_args_": [{"_target_": "pathlib.Path", "_args_": [str(trap)]}]}
    file.write_text(yaml.safe_dump({"_target_": "augment.Pipeline", "_args_": [touch]}))
    said = stage.run(folder, f"augment={file}").error
    promise("pathlib.Path" in said, f"an error that names pathlib.Path.touch, but it was: {said}")
    promise(not trap.exists(), "that nothing is executed")
    return "refused, nothing executed"


class _Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., None], tuple[Path]]:
        return Path.touch, (self.path,)


def evil_checkpoint(stage: Stage, folder: Path) -> str:
    """A checkpoint that creates a file when it is unpickled."""
    trap = stage.folder / "trap-of-the-checkpoint"
    path = stage.folder / "evil.ckpt"
    content = torch.load(stage.stopped() / "checkpoints" / "last.ckpt", weights_only=True)
    torch.save(content | {"trap": _Trap(trap)}, path)
    promise(str(path) in stage.run(folder, f"ckpt_path={path}").error, "an error that names the checkpoint")
    promise(not trap.exists(), "that nothing is executed")
    return "refused, nothing executed"


FAULTS: dict[str, Fault] = {
    "SIGKILL within an epoch": partial(interrupted, harm=send(signal.SIGKILL), codes={-9}),
    "SIGTERM within an accumulation window": partial(interrupted, harm=send(signal.SIGTERM), codes={143}),
    "Ctrl-C within an accumulation window": partial(interrupted, harm=send(signal.SIGINT), codes={130}),
    "SIGTERM to the second of two processes": partial(
        interrupted, harm=send(signal.SIGTERM, rank=1), codes={143}, processes=2
    ),
    "SIGKILL to the second of two processes": partial(
        interrupted,
        harm=send(signal.SIGKILL, rank=1),
        codes={2, -9},
        processes=2,
        says="process 1 of the run was killed by",
    ),
    "SIGKILL while a checkpoint is saved": partial(
        interrupted, harm=blow("tests.rehearsal.blows.DieWhileSaving", step=7), codes={-9}
    ),
    "full disk": partial(
        interrupted,
        harm=blow("tests.rehearsal.blows.FillDisk", step=6),
        codes={2},
        says="free some disk space; continue with ckpt_path=",
    ),
    "learning rate of 1e30": not_finite,
    "unreadable image": unreadable_image,
    "truncated checkpoint": partial(harmed_checkpoint, harm=truncate, says="is truncated or damaged"),
    "flipped bit in a checkpoint": partial(harmed_checkpoint, harm=flip_bit, says="a checksum differs"),
    "augment file that names other code": evil_augmentation,
    "checkpoint that contains code": evil_checkpoint,
}
