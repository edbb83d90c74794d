"""Schedules whose shape is given in shares of the training, so that they fit a training of any length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR

from lightning_modules.errors import UserError


class OneCycle(OneCycleLR):
    """Rise to the optimizer's learning rate and fall to almost 0, with momentum in the opposite direction (Smith 2018).

    Other than in torch's OneCycleLR, each group of parameters rises to its own rate, and a run that is continued with
    another length follows the cycle of the new length.

    Args:
        optimizer: the optimizer whose learning rates and momentum change.
        total_steps: length of training; ImageClassifier fills it in.
        rise: share of the training in which the rate rises, in (0, 1).
        start: first rate as a fraction of the highest, in (0, 1].
    """

    def __init__(
        self, optimizer: Optimizer, total_steps: int | None = None, rise: float = 0.3, start: float = 0.04
    ) -> None:
        if total_steps is None or not 0 < rise < 1 or not 0 < start <= 1:
            raise UserError(
                f"OneCycle: total_steps={total_steps} must be a number, rise={rise} within (0, 1) and start={start} "
                "within (0, 1]."
            )
        rates = [group["lr"] for group in optimizer.param_groups]
        super().__init__(optimizer, rates, total_steps=total_steps, pct_start=float(rise), div_factor=1 / start)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue at the saved step of the schedule, in a training of today's length."""
        own = {name: vars(self)[name] for name in ("total_steps", "_schedule_phases")}
        super().load_state_dict(state_dict | own)


class Steps(LambdaLR):
    """Multiply the learning rate by a factor at certain shares of the training.

    Args:
        optimizer: the optimizer whose learning rates change.
        total_steps: length of training; ImageClassifier fills it in.
        at: shares of the training after which the rate changes, each in (0, 1).
        factor: the factor, positive.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_steps: int | None = None,
        at: Sequence[float] = (0.5, 0.75),
        factor: float = 0.1,
    ) -> None:
        if total_steps is None or not all(0 < share < 1 for share in at) or factor <= 0:
            raise UserError(
                f"Steps: total_steps={total_steps} must be a number, each of at={list(at)} within (0, 1) and "
                f"factor={factor} positive."
            )
        places = [round(share * total_steps) for share in at]
        super().__init__(optimizer, lambda step: factor ** sum(step >= place for place in places))
