"""Images per second and waits for data, in the progress bar and in the report."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from augment import Batch
from lightning_modules.classifier import model_of
from lightning_modules.reporting.clock import Clock, Moment


class Throughput(Callback):
    """Measure the speed of training, and show images/s and the share of time waiting for data in the progress bar.

    Every `every`-th batch is divided into augmentation and the rest, which is the network: its forward and backward
    pass and the optimizer. On a GPU the device measures both, and the host reads them once an epoch. The first epoch's
    first batch, in which code may be compiled, does not count.

    Args:
        every: batches between measurements of the parts.

    Example:
        >>> Throughput(every=10).summary()
        {}
    """

    def __init__(self, every: int = 5) -> None:
        self.every = every
        self.images, self.waited, self.elapsed = 0, 0.0, 0.0
        self._clock: Clock | None = None
        self._count = 0
        self._ended: float | None = None
        self._begun: tuple[float, Moment | None] = (0.0, None)
        self._augmenting: Moment | None = None
        self._shown = (0, 0.0, 0.0)
        self._hooks: list[Any] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._clock = Clock(trainer.strategy.root_device)
        augment = model_of(pl_module).seen
        self._hooks = [
            augment.register_forward_pre_hook(lambda *_: self._before_augment()),
            augment.register_forward_hook(lambda *_: self._after_augment()),
        ]

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self.on_train_end(trainer, pl_module)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        now = time.perf_counter()
        if self._ended is not None:
            self.waited += now - self._ended
            self.elapsed += now - self._ended
        self._count += 1
        measured = self._ended is not None and (self._count - 2) % self.every == 0  # from the second batch of the run
        self._begun = (now, self._clock.now() if measured and self._clock else None)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        now = time.perf_counter()
        begun, moment = self._begun
        if self._ended is not None:
            self.elapsed += now - begun
            self.images += batch.count * trainer.world_size
        if moment is not None and self._clock is not None:
            self._clock.add("step", moment, self._clock.now())
        every = trainer.log_every_n_steps  # type: ignore[attr-defined]  # Lightning sets it without declaring it
        if every and batch_idx % every == 0 and self.elapsed > self._shown[1]:
            images, elapsed, waited = self._shown
            share = (self.waited - waited) / (self.elapsed - elapsed)
            shown = {"images/s": (self.images - images) / (self.elapsed - elapsed), "waiting": share}
            pl_module.log_dict(shown, prog_bar=True, logger=False, batch_size=batch.count)
            self._shown = (self.images, self.elapsed, self.waited)
        self._ended = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._ended = None  # validation and checkpoints are no training
        if self._clock is not None:
            self._clock.seconds()

    def _before_augment(self) -> None:
        self._augmenting = self._clock.now() if self._clock is not None and self._begun[1] is not None else None

    def _after_augment(self) -> None:
        if self._augmenting is not None and self._clock is not None:
            self._clock.add("augmentation", self._augmenting, self._clock.now())
            self._augmenting = None

    def summary(self) -> dict[str, float]:
        """Return images/s, and the shares of data, augmentation and network in the time of training.

        Returns:
            {"images/s", "data", "augmentation", "network"}; empty before the second batch.
        """
        if not self.images or self._clock is None:
            return {}
        seconds, data = self._clock.seconds(), self.waited / self.elapsed
        step = seconds.get("step", 0.0)
        share = (1 - data) * (min(1.0, seconds.get("augmentation", 0.0) / step) if step else 0.0)
        rate = self.images / self.elapsed
        return {"images/s": rate, "data": data, "augmentation": share, "network": 1 - data - share}
