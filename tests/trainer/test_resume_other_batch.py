"""An epoch that is resumed with another batch size continues at its next sample."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from pytorch_lightning.utilities.exceptions import SIGTERMException

from tests.trainer.test_resume import Sigterm
from tests.trainer.tools import ROOT, build, run_train

Configure = Callable[..., DictConfig]
SMALL = ["model=small_cnn", "model.width=8", "trainer.limit_val_batches=1", "trainer.max_epochs=3", "test=false"]
SIZE = 1169
"""Number of training samples of the digits."""


class Seen(pl.Callback):
    """Record the samples of every training batch, and the epochs with a validation."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: object, _: int) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{trainer.current_epoch}-{trainer.fit_loop.batch_idx:04d}-{trainer.global_rank}.pt"
        torch.save(batch.index, self.folder / name)

    def on_validation_end(self, trainer: pl.Trainer, *_: object) -> None:
        if not trainer.sanity_checking:
            (self.folder / f"validated-{trainer.current_epoch}").touch()


def seen(folder: Path, epoch: int, world: int = 1) -> list[int]:
    """Return the samples of an epoch in order, over all processes."""
    ranks = [
        [n for path in sorted(folder.glob(f"{epoch}-*-{rank}.pt")) for n in torch.load(path).tolist()]
        for rank in range(world)
    ]
    return [n for step in zip(*ranks, strict=True) for n in step]


def order(data: pl.LightningDataModule, epoch: int) -> list[int]:
    return np.random.default_rng([data.seed, epoch]).permutation(len(data.splits.train)).tolist()


def part(
    configure: Configure, tmp_path: Path, batch: int, stop: tuple[int, int] | None, resume: bool, *more: str
) -> tuple[Path, pl.LightningDataModule]:
    """Run one part of a training, and return the folder of its records and the data."""
    folder = tmp_path / f"seen-{batch}"
    trainer, model, data = build(configure(*SMALL, f"data.batch_size={batch}", *more))
    trainer.callbacks.insert(0, Seen(str(folder)))
    if stop:
        trainer.callbacks.append(Sigterm(*stop))
    last = tmp_path / "run" / "checkpoints" / "last.ckpt" if resume else None
    try:
        trainer.fit(model, data, ckpt_path=last, weights_only=True)
    except SIGTERMException:
        assert stop
    else:
        assert not stop
    return folder, data


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("batch", [64, 32, 128, 100, 7])
def test_no_sample_is_skipped_or_repeated(configure: Configure, tmp_path: Path, batch: int, workers: int) -> None:
    more = f"data.num_workers={workers}"
    first, data = part(configure, tmp_path, 65, (1, 4), False, more)
    second, _ = part(configure, tmp_path, batch, None, True, more)
    size = len(data.splits.train)
    done = seen(first, 1)
    assert len(done) == 5 * 65
    rest = seen(second, 1)
    assert done + rest == order(data, 1)[: len(done + rest)]
    assert size - len(done + rest) < batch  # less than one batch is dropped
    assert seen(second, 2) == order(data, 2)[: size // batch * batch]
    assert not seen(second, 0)
    assert {path.name for path in second.glob("validated-*")} == {"validated-1", "validated-2"}
    assert max(int(path.name.split("-")[1]) for path in second.glob("1-*.pt")) == size // batch - 1


def test_three_parts(configure: Configure, tmp_path: Path) -> None:
    first, data = part(configure, tmp_path, 64, (0, 2), False)
    second, _ = part(configure, tmp_path, 50, (0, 7), True)
    third, _ = part(configure, tmp_path, 30, None, True)
    done = seen(first, 0) + seen(second, 0) + seen(third, 0)
    assert done == order(data, 0)[: len(done)]
    assert len(data.splits.train) - len(done) < 30


def test_less_than_one_new_batch_is_one_batch(configure: Configure, tmp_path: Path) -> None:
    first, data = part(configure, tmp_path, 64, (0, 16), False)
    second, _ = part(configure, tmp_path, 200, None, True)
    rest = seen(second, 0)
    assert seen(first, 0) + rest == order(data, 0)
    assert len(rest) == len(data.splits.train) - 17 * 64 < 200
    assert seen(second, 1) == order(data, 1)[:1000]
    assert {path.name for path in second.glob("validated-*")} == {"validated-0", "validated-1", "validated-2"}


def test_limited_batches(configure: Configure, tmp_path: Path) -> None:
    """Eight batches of 32 have as many samples as four batches of 64."""
    first, data = part(configure, tmp_path, 64, (0, 1), False, "trainer.limit_train_batches=4")
    second, _ = part(configure, tmp_path, 32, None, True, "trainer.limit_train_batches=8")
    assert seen(first, 0) + seen(second, 0) == order(data, 0)[:256]
    assert seen(second, 1) == order(data, 1)[:256]


@pytest.mark.parametrize("steps", [["trainer.max_steps=20", "trainer.max_epochs=-1"], ["trainer.max_epochs=5"]])
def test_after_a_whole_epoch_the_next_begins(configure: Configure, tmp_path: Path, steps: list[str]) -> None:
    class Stop(pl.Callback):
        def on_train_epoch_start(self, trainer: pl.Trainer, *_: object) -> None:
            if trainer.current_epoch == 1:
                raise KeyboardInterrupt

    few = "trainer.limit_train_batches=4"
    trainer, model, data = build(configure(*SMALL, "data.batch_size=64", few, *steps))
    trainer.callbacks.append(Stop())
    with pytest.raises(SystemExit):
        trainer.fit(model, data)
    second, _ = part(configure, tmp_path, 32, None, True, few, *steps)
    assert seen(second, 0) == []
    for epoch in range(1, 4):
        assert seen(second, epoch) == order(data, epoch)[:128]


@pytest.mark.parametrize(("before", "after", "batch"), [(1, 2, 24), (2, 1, 50)])
def test_another_number_of_processes(tmp_path: Path, before: int, after: int, batch: int) -> None:
    """Resume from a checkpoint saved after the third batch of epoch 1."""

    def run(world: int, batch: int, name: str, *more: str) -> None:
        ended = run_train(
            tmp_path,
            *SMALL,
            "trainer=ddp_cpu",
            "trainer.max_epochs=2",
            f"trainer.devices={world}",
            f"data.batch_size={batch}",
            f"output_dir={tmp_path / name}",
            "+callbacks.seen._target_=tests.trainer.test_resume_other_batch.Seen",
            f"+callbacks.seen.folder={tmp_path / name}",
            *more,
            PYTHONPATH=str(ROOT),
        )
        assert ended.returncode == 0, ended.stderr

    step = SIZE // before // 60 + 3
    middle = ["+callbacks.middle._target_=pytorch_lightning.callbacks.ModelCheckpoint", "+callbacks.middle.filename=m"]
    middle += [f"+callbacks.middle.dirpath={tmp_path}", f"+callbacks.middle.every_n_train_steps={step}"]
    run(before, 60, "first", *middle)
    run(after, batch, "second", f"ckpt_path={tmp_path / 'm.ckpt'}")
    whole = seen(tmp_path / "first", 1, before)[: 3 * 60 * before] + seen(tmp_path / "second", 1, after)
    assert whole == np.random.default_rng([0, 1]).permutation(SIZE)[: len(whole)].tolist()
    assert SIZE - len(whole) < batch * after
