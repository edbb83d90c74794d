"""Learning rates over time."""

from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from lightning_modules.errors import UserError


class WarmupCosine(LambdaLR):
    """Rises linearly to the optimizer's learning rate, then falls along half a cosine; to be stepped after each batch.

    Args:
        optimizer: whose learning rates to change.
        total_steps: optimizer steps of the whole training; ImageClassifier fills it in.
        warmup: share of them to rise, in [0, 1).
        final: where it ends, as a fraction of the learning rate, in [0, 1].
    """

    def __init__(
        self, optimizer: Optimizer, total_steps: int | None = None, warmup: float = 0.05, final: float = 0.0
    ) -> None:
        if total_steps is None or not 0 <= warmup < 1 or not 0 <= final <= 1:
            raise UserError(
                f"WarmupCosine: total_steps={total_steps} must be a number, warmup={warmup} within [0, 1) and "
                f"final={final} within [0, 1]."
            )
        rise = round(warmup * total_steps)

        def factor(step: int) -> float:
            if step < rise:
                return (step + 1) / (rise + 1)
            progress = min((step - rise) / max(total_steps - rise, 1), 1.0)
            return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))

        super().__init__(optimizer, factor)
