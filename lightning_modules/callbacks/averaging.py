"""AverageWeights: a moving average of the weights that is validated, saved and tested."""

from __future__ import annotations

from collections.abc import Sequence

import pytorch_lightning as pl
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from lightning_modules.errors import UserError


class AverageWeights(WeightAveraging):
    """Keep an exponential moving average of all weights and statistics.

    Lightning's WeightAveraging validates, saves and tests the average, and continues it in a resumed run. Here the
    decay of the n-th step is at most (1 + n) / (10 + n), so that the first weights of a short training do not stay in
    the average. After every step the host waits for the device once.

    Args:
        decay: share of the average that one step of the optimizer keeps, in [0, 1).
        device: where the average is kept, such as "cpu"; None keeps it where the model is trained.
    """

    def __init__(self, decay: float = 0.999, device: str | None = None) -> None:
        if not 0 <= decay < 1:
            raise UserError(f"AverageWeights: decay={decay} must lie within [0, 1).")
        super().__init__(device=device, multi_avg_fn=self._update)
        self.decay = decay

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self._device = self._device or trainer.strategy.root_device  # where the model will be; now it is on the CPU
        super().setup(trainer, pl_module, stage)

    def _update(self, averages: Sequence[Tensor], values: Sequence[Tensor], count: Tensor | int) -> None:
        """Update averages of one type with the present values."""
        step = self._latest_update_step
        decay = min(self.decay, (1 + step) / (10 + step))
        if averages[0].is_floating_point():
            get_ema_multi_avg_fn(decay)(averages, values, count)
        else:  # counts, which have no average
            for average, value in zip(averages, values, strict=True):
                average.copy_(value)
