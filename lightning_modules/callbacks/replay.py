"""Records the batch at which a run stopped, and repeats it: python train.py replay=FILE."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, Checkpoint, LearningRateMonitor, ModelCheckpoint
from torch import Tensor, nn

import augment as A
from augment.data.known import known
from lightning_modules.callbacks.logs import ContinueLogs
from lightning_modules.data.datamodule import data_of
from lightning_modules.errors import UserError
from lightning_modules.model.schedules import callbacks_of
from lightning_modules.quoting import quoted, unquoted
from lightning_modules.saving.saved import copy_whole, step_of
from lightning_modules.saving.whole_file import whole_file

if TYPE_CHECKING:
    from hydra.conf import HydraConf

    from lightning_modules.classifier import ImageClassifier

_KEY = "replay="


class Moment(NamedTuple):
    """A training batch."""

    epoch: int
    batch: int
    """Number of the batch in its epoch."""
    step: int
    """Number of optimizer steps before it."""


def record(trainer: pl.Trainer, moment: Moment, samples: list[int], bad: list[int], since: float) -> Path:
    """Write what is needed to repeat a batch, next to the newest checkpoint before it, and return the file's path.

    Args:
        trainer: the trainer of the run.
        moment: the batch.
        samples: numbers of its samples on all processes.
        bad: those of them whose loss is not finite.
        since: time at which this run began; older files in its folder belong to another run.
    """
    path = Path(trainer.default_root_dir) / f"replay-epoch{moment.epoch}-step{moment.step}.json"
    if not trainer.is_global_zero:
        return path
    data, hydra = data_of(trainer), _hydra()
    content = moment._asdict() | {
        "not_finite": bad,
        "samples": samples,
        "seed": None if data is None else data.seed,
        "ckpt_path": _kept(trainer, moment.step, since, path.with_suffix(".ckpt")),
        "folder": os.getcwd() if hydra is None else hydra.runtime.cwd,
        "overrides": None if hydra is None else list(hydra.overrides.task),
    }
    with whole_file(path) as file:
        file.write(json.dumps(content, indent=1).encode())
    return path


def _hydra() -> HydraConf | None:
    """Return Hydra's own configuration of this run; None if Hydra did not start it."""
    from hydra.core.hydra_config import HydraConfig  # here, because a loaded model needs no Hydra

    return HydraConfig.get() if HydraConfig.initialized() else None


def how_to_repeat(path: Path) -> str:
    """Return the end of a sentence that says what to do with a record."""
    if _hydra() is not None:
        return f"python train.py {_KEY}{shlex.quote(str(path))} repeats the batch"
    return f"{path} names its samples and the checkpoint from which the run repeats it"


def with_replay(overrides: Sequence[str]) -> list[str]:
    """Replace replay=FILE by the overrides of the recorded run; further overrides are applied after them.

    The function is idempotent, because the other processes of a distributed run start with the overrides of the first.

    Raises:
        UserError: if the file is not a record of train.py.
    """
    given = [override for override in overrides if override.startswith(_KEY)]
    if not given or given[-1] in (_KEY, f"{_KEY}null"):
        return list(overrides)

    path = Path(unquoted(given[-1].removeprefix(_KEY))).expanduser().resolve()
    content = read(path)
    if content["overrides"] is None:
        raise UserError(f"{_KEY}{path} was not written by train.py; continue from its ckpt_path with the same command.")
    os.chdir(content["folder"])  # paths in the overrides may be relative
    ckpt_path = content["ckpt_path"]
    ending = ["train=true", "test=false", f"ckpt_path={'null' if ckpt_path is None else quoted(ckpt_path)}"]
    ending.append(_KEY + quoted(str(path)))
    own = [override for override in overrides if override not in (*given, *ending)]
    return [*(override for override in content["overrides"] if override not in own), *own, *ending]


def read(path: str | Path) -> dict[str, Any]:
    """Return the content of a record."""
    try:
        content = json.loads(Path(path).read_text())
        return {name: content[name] for name in (*Moment._fields, "samples", "ckpt_path", "folder", "overrides")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{_KEY}{path} is not a file that a stopped run has written: {error}") from error


def callbacks_for_replay(path: str, callbacks: Iterable[Callback], folder: str) -> list[Callback]:
    """Return the callbacks of a run that repeats a batch; it keeps no other checkpoints and no logs."""
    kept = [c for c in callbacks if not isinstance(c, (Checkpoint, ContinueLogs, LearningRateMonitor))]
    return [*kept, Replay(path, folder)]


class Replay(Callback):
    """Train up to a recorded batch, save the state before it, run it, and say where the first NaN or infinity is.

    Args:
        path: the record.
        folder: folder of the checkpoint `before.ckpt`.
    """

    def __init__(self, path: str, folder: str) -> None:
        content = read(path)
        self.moment = Moment(*(content[name] for name in Moment._fields))
        self.samples = set(content["samples"])
        self.before = os.path.join(folder, "before.ckpt")
        self.first: str | None = None

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: A.Batch, batch_idx: int
    ) -> None:
        if trainer.current_epoch != self.moment.epoch:
            return
        if batch_idx == self.moment.batch - self.moment.batch % trainer.accumulate_grad_batches:
            trainer.save_checkpoint(self.before)
        if batch_idx == self.moment.batch:
            if not self.samples.issuperset(known(batch.index).tolist()):
                raise UserError(f"{_KEY} meets other samples in this batch: use the data and settings of the run.")
            for name, layer in cast("ImageClassifier", pl_module).backbone.named_modules():
                layer.register_forward_hook(partial(self._look, name or "the network's output"))

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        progress = trainer.fit_loop.epoch_loop.batch_progress.current
        if (trainer.current_epoch, progress.ready - 1) >= (self.moment.epoch, self.moment.batch):
            raise UserError(
                f"{_KEY} has run the batch, and its loss is finite here; {self.before} is the state before it."
            )

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        if self.first is not None:
            print(f"the first value that is not finite is in {self.first}; {self.before} is the state before the batch")

    def _look(self, name: str, layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        for where, values in ((f"the input of {name}", inputs), (f"the output of {name}", (output,))):
            tensors = [value for value in values if isinstance(value, Tensor) and value.is_floating_point()]
            if self.first is None and not all(value.isfinite().all() for value in tensors):
                self.first = f"{where} ({type(layer).__name__})"


def _kept(trainer: pl.Trainer, step: int, since: float, target: Path) -> str | None:
    """Give the newest checkpoint up to a step a second name, so that later ones do not replace it; None if none is."""
    places = {str(c.dirpath) for c in callbacks_of(trainer) if isinstance(c, ModelCheckpoint) and c.dirpath}
    paths = [str(path) for place in places for path in Path(place).glob("*.ckpt") if path.stat().st_mtime >= since]
    paths += [callback.before for callback in callbacks_of(trainer) if isinstance(callback, Replay)]
    if trainer.ckpt_path is not None:
        paths.append(str(trainer.ckpt_path))
    steps = {path: saved for path in paths if (saved := step_of(path)) is not None and saved <= step}
    if not steps:
        return None
    copy_whole(max(steps, key=steps.__getitem__), str(target))
    return str(target)
