"""Learning rate schedules."""

from __future__ import annotations

import functools
import inspect
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, GradientAccumulationScheduler
from timm.scheduler import PlateauLRScheduler
from timm.scheduler.scheduler import Scheduler as TimmScheduler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CyclicLR, LambdaLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from augment.data.known import known
from lightning_modules.errors import UserError

INTERVALS = ("step", "epoch")
"""Units that a schedule may count."""


class WarmupCosine(LambdaLR):
    """Linear warm-up to the optimizer's learning rate, then a decay along half a cosine; stepped after each batch.

    Args:
        optimizer: the optimizer whose learning rates change.
        total_steps: optimizer steps of the whole training; ImageClassifier fills it in.
        warmup: share of the steps that warm up, in [0, 1).
        final: final value as a fraction of the learning rate, in [0, 1].
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


def callbacks_of(trainer: pl.Trainer) -> list[Callback]:
    return trainer.callbacks  # type: ignore[attr-defined]  # Lightning sets it without declaring it


def optimizer_steps(trainer: pl.Trainer) -> float:
    """Return the number of optimizer steps of the whole training; infinite if it has no end."""
    steps = trainer.estimated_stepping_batches
    if trainer.max_epochs != -1 and any(isinstance(c, GradientAccumulationScheduler) for c in callbacks_of(trainer)):
        steps = sum(steps_of_epochs(trainer))  # the estimate ignores this callback
        steps = steps if trainer.max_steps == -1 else min(steps, trainer.max_steps)
    return steps


def steps_of_epochs(trainer: pl.Trainer) -> list[int]:
    """Return the number of optimizer steps of each epoch; `trainer.max_epochs` must be a number of epochs."""
    batches = trainer.num_training_batches
    return [math.ceil(batches / accumulated(trainer, epoch)) for epoch in range(known(trainer.max_epochs))]


def accumulated(trainer: pl.Trainer, epoch: int) -> int:
    """Return how many batches an optimizer step of an epoch uses."""
    for callback in callbacks_of(trainer):
        if isinstance(callback, GradientAccumulationScheduler):
            return callback.get_accumulate_grad_batches(epoch)
    return trainer.accumulate_grad_batches


def scheduled(
    make: Callable[..., Any], optimizer: Optimizer, model: pl.LightningModule, interval: str
) -> dict[str, Any]:
    """Build a torch or timm schedule, and Lightning's settings of when to step it.

    Args:
        make: function that builds the schedule from the optimizer; if it is a partial without `total_steps` or `T_max`,
            the length of training is filled in.
        optimizer: the optimizer whose learning rates change.
        model: the model being trained.
        interval: unit that the schedule counts, "step" or "epoch". A timm schedule sets it with `t_in_epochs`, and
            ReduceLROnPlateau counts validations, following "val/loss" for mode="min" and "val/acc" for mode="max".
    """
    make = without_leftovers(make, WarmupCosine)
    layered = len(_rates(optimizer)) > 1
    scheduler = _made(make, optimizer, _length(make, model, interval))
    name = type(scheduler).__name__
    if layered and isinstance(scheduler, (OneCycleLR, CyclicLR)) and len(_rates(optimizer)) == 1:
        raise UserError(f"{name} gives all layers one learning rate: with layer_decay use scheduler=one_cycle instead.")
    if isinstance(scheduler, PlateauLRScheduler):
        raise UserError(f"timm's {name} cannot be resumed: use torch.optim.lr_scheduler.ReduceLROnPlateau.")
    if isinstance(scheduler, TimmScheduler):
        return {"scheduler": scheduler, "interval": "epoch" if scheduler.t_in_epochs else "step"}
    if isinstance(scheduler, ReduceLROnPlateau):
        if not model.trainer.enable_validation:
            raise UserError(f"{name} needs the validation, which trainer.limit_val_batches=0 disables.")
        monitor = "val/loss" if scheduler.mode == "min" else "val/acc"
        every = model.trainer.check_val_every_n_epoch or 1
        return {"scheduler": scheduler, "interval": "epoch", "frequency": every, "monitor": monitor}
    if isinstance(scheduler, OneCycleLR) and scheduler.total_steps < _total(model, interval):
        raise UserError(
            f"{name}: total_steps={scheduler.total_steps} is shorter than the training, which has "
            f"{_total(model, interval)}; omit total_steps."
        )
    if not isinstance(scheduler, LRScheduler):
        raise UserError(f"scheduler creates a {name}, which is not a torch or timm schedule.")
    return {"scheduler": scheduler, "interval": interval}


def _rates(optimizer: Optimizer) -> set[float]:
    return {group["lr"] for group in optimizer.param_groups}


def without_leftovers(make: Callable[..., Any], default: type) -> Callable[..., Any]:
    """Remove the arguments that the configuration of `default` has left in a partial.

    `scheduler._target_=...` on the command line replaces the class but keeps the other arguments of the chosen file.
    Arguments that only `default` accepts and that still have its default values are removed; arguments that the user
    has set stay.
    """
    if not isinstance(make, functools.partial):
        return make
    known, own = _parameters(make.func), inspect.signature(default).parameters
    if known is None:
        return make
    kept = {
        name: value
        for name, value in make.keywords.items()
        if name in known or name not in own or _plain(value) != _plain(own[name].default)
    }
    return _with(make, kept)


def _with(make: functools.partial, keywords: dict[str, Any]) -> functools.partial:
    """Return the partial with other keywords, and with the attributes in which Hydra's partials store their origin."""
    changed = type(make)(make.func, *make.args, **keywords)
    vars(changed).update(vars(make))
    return changed


def _made(make: Callable[..., Any], optimizer: Optimizer, length: dict[str, int]) -> Any:
    """Call `make`, after building the parts of a SequentialLR or ChainedScheduler."""
    if not isinstance(make, functools.partial) or not make.keywords.get("schedulers"):
        return make(optimizer, **length)
    given = make.keywords["schedulers"]
    parts = [part(optimizer) if isinstance(part, functools.partial) else part for part in given]
    return _with(make, {**make.keywords, "schedulers": parts})(optimizer=optimizer)


def takes_length(make: Callable[..., Any], model: pl.LightningModule, interval: str) -> bool:
    """Return whether the schedule counts optimizer steps and gets the length of training filled in."""
    return interval == "step" and bool(_length(without_leftovers(make, WarmupCosine), model, interval))


def _length(make: Callable[..., Any], model: pl.LightningModule, interval: str) -> dict[str, int]:
    """Return the length of training as the argument that the schedule takes for it, unless it is given already."""
    given = {name for name, value in getattr(make, "keywords", {}).items() if value is not None}
    # partials from the command line hide the signature, but their keywords contain every argument
    known = {*(_parameters(getattr(make, "func", make)) or ()), *getattr(make, "keywords", {})}
    if interval == "step" and "total_iters" in known - given:
        raise UserError(
            f"{getattr(make, 'func', make).__name__}: give total_iters in optimizer steps (the training has "
            f"{_total(model, interval)}), or count epochs with classifier.scheduler_interval=epoch."
        )
    wanted = [name for name in ("total_steps", "T_max") if name in known - given]
    if not wanted or {"epochs", "steps_per_epoch"} <= given:
        return {}
    return {wanted[0]: _total(model, interval)}


def _total(model: pl.LightningModule, interval: str) -> int:
    """Return the length of training in the unit that the schedule counts."""
    total = optimizer_steps(model.trainer) if interval == "step" else model.trainer.max_epochs
    if total in (None, -1) or not math.isfinite(total):
        raise UserError("the schedule needs the length of training: give the trainer max_epochs or max_steps.")
    return int(total)


def _parameters(function: Callable[..., Any]) -> set[str] | None:
    """Return the names of a function's arguments; None if they are unknown, or if it accepts any name."""
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:
        return None
    return None if any(p.kind is p.VAR_KEYWORD for p in parameters.values()) else set(parameters)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


@contextmanager
def saying_what_is_wrong(group: str) -> Iterator[None]:
    """Turn an error about the user's arguments into one sentence that names the group of settings."""
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        unknown = re.search(r"unexpected keyword argument '(\w+)'", str(error))
        remedy = f"; remove it with ~{group}.{unknown[1]}" if unknown else ""
        raise UserError(f"the optimizer or its scheduler cannot be created: {error}{remedy}") from error
