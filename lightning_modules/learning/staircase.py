"""StaircasePolicy: a callback that widens each operator step by step, as far as held-out images stay recognisable."""

from __future__ import annotations

import math
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

import augment as A
from augment.data.known import known
from augment.layers.policies.learned import policies_in
from lightning_modules.classifier import ImageClassifier, model_of
from lightning_modules.data.datamodule import data_of
from lightning_modules.errors import UserError
from lightning_modules.learning.policy_report import PolicyReport
from lightning_modules.learning.policy_steps import losses_of
from lightning_modules.learning.stairs import RUNGS, Stairs
from lightning_modules.learning.words import Findings, found_by_trial
from lightning_modules.model.backbones import frozen
from lightning_modules.model.resumed_schedule import place_in_schedule

DRAWS = 4
"""Draws of every held-out image in a test."""

SAMPLES = 512
"""Most held-out images in a test, which keeps its cost small beside the training on many images."""


class StaircasePolicy(Callback):
    """Learn the widths of a `LearnedPolicy` by trying them: a wider operator must leave held-out images recognisable.

    After a warm-up, every operator is tried at the first width, on a tenth of the images. Some steps later the network
    has seen the changed images, and held-out images show what it makes of them: if it gives the right class nearly the
    probability that it gives it without the operator, the operator goes on to the next width. If not, the width is
    tried again, and if the loss is certain and large, never again. The difference to a budget of extra loss is the
    training in between: images that are only unfamiliar become familiar, labels that are broken stay broken. From
    `freeze` on, the operators that passed are all used, at the widths that passed. Held-out images join the training in
    the next epoch.

    With several processes, each one tests its share of the held-out images and the results are averaged, so that the
    policy is the same on all of them.

    Args:
        share: share of the training images to hold out, in (0, 1).
        warmup, freeze: start and end of the trials as shares of the training, 0 <= warmup < freeze <= 1.
        report: writes the curves, the picture and the learned pipeline; None writes nothing.

    Raises:
        UserError: the pipeline has no LearnedPolicy, there is no ImageDataModule, or training has no end.

    Example:
        >>> StaircasePolicy(warmup=0.05, freeze=0.35).stairs.levels
        {}
    """

    def __init__(
        self, share: float = 0.2, warmup: float = 0.05, freeze: float = 0.35, report: PolicyReport | None = None
    ) -> None:
        if not 0 <= warmup < freeze <= 1:
            raise UserError(
                f"StaircasePolicy: warmup={warmup}, freeze={freeze} must satisfy 0 <= warmup < freeze <= 1."
            )
        self.share, self.warmup, self.freeze, self.report = share, warmup, freeze, report
        self.stairs = Stairs({})
        self.tests: list[int] = []
        self._seen = 0
        self._held_out: list[int] = []
        self._restored: dict[str, Any] | None = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        pipeline, data = model_of(pl_module).augment, data_of(trainer)
        if len(policies_in(pipeline)) != 1:
            raise UserError("StaircasePolicy: augment must have one LearnedPolicy; use augment=staircase.")
        if data is None:
            raise UserError("StaircasePolicy: it holds out images of an ImageDataModule.")
        pipeline.requires_grad_(False)
        data.hold_out(self.share)
        self._held_out = data.held_out

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        model, data, total = model_of(pl_module), known(data_of(trainer)), trainer.estimated_stepping_batches
        if not math.isfinite(total):
            raise UserError("StaircasePolicy: training must have an end: give the trainer max_epochs or max_steps.")
        data.resume()  # before the model does it, because the place in training depends on it
        earlier = trainer.global_step - place_in_schedule(trainer)  # not 0 if the length of a step has changed
        length = self.freeze - self.warmup
        shares = [self.warmup + length * stage / len(RUNGS) for stage in range(len(RUNGS) + 1)]
        self.tests = [max(round(share * total), 1) + earlier for share in shares]
        steps = -(-trainer.num_training_batches // trainer.accumulate_grad_batches)
        data.fold_back_epoch = int(-(-(self.tests[-1] - earlier) // steps))
        (self.policy,) = policies_in(model.augment)
        self._seen = trainer.global_step
        if self._restored is None:
            self.stairs = Stairs(
                {name: len(RUNGS) if name in self.policy.spreads() else 1 for name in self.policy.names}
            )
            self.policy.assign(self.stairs.nothing())
        else:
            self._restore(self._restored)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: A.Batch, batch_idx: int
    ) -> None:
        step = trainer.global_step
        if step == self._seen or step not in self.tests:
            return
        self._seen = step
        model = model_of(pl_module)
        if step > self.tests[0]:
            for name in self.stairs.open():
                self.policy.assign(self.stairs.only(name))
                loss, error, self.stairs.skill = self._loss(trainer, model)
                self.stairs.judge(name, loss, error)
        self.policy.assign(self.stairs.final() if step == self.tests[-1] else self.stairs.trial())
        values = {f"policy/{name}/loss": loss for name, loss in self.stairs.losses.items()}
        if self.report is not None:
            values |= self.report.curves(model.augment, step)
        model.log_dict(values)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.report is not None and trainer.is_global_zero:
            self.report.finish(model_of(pl_module).augment, self.findings())

    def findings(self) -> Findings | None:
        """Return what was learned, in words; None before training."""
        if not self.stairs.heights:
            return None
        return found_by_trial(self.stairs, self.policy.state(), min(len(self._held_out), SAMPLES))

    @torch.no_grad()
    def _loss(self, trainer: pl.Trainer, model: ImageClassifier) -> tuple[float, float, float]:
        """Return how much of the network's skill on held-out images the present policy takes, its error, and the skill.

        Skill is the mean probability of the right class beyond that of a guess, in the third number as a share of what
        is possible. A loss of 0 means that the images are as recognisable as without the policy, 1 that the network can
        only guess.
        """
        data = known(data_of(trainer))
        numbers = data.held_out[:SAMPLES][trainer.global_rank :: trainer.world_size]
        sums: Tensor = torch.zeros(4, device=model.device, dtype=torch.float64)
        with frozen(model.backbone), trainer.precision_plugin.forward_context():
            for start in range(0, len(numbers), data.batch_size):
                batch = data.splits.train.__getitems__(numbers[start : start + data.batch_size]).to(model.device)
                clean = _right(model, model.preprocessed(batch))
                changed = [_right(model, self._changed(model, batch, draw)) for draw in range(DRAWS)]
                taken = clean - torch.stack(changed).mean(0)
                sums += torch.stack([clean.sum(), taken.sum(), taken.square().sum(), clean.new_tensor(len(clean))])
        clean_sum, taken_sum, squares, count = trainer.strategy.reduce(sums, reduce_op="sum").tolist()
        guess = 1 / data.num_classes if data.splits.train.labels.ndim == 1 else 0.5
        skill = max(clean_sum / count - guess, 1e-3)
        mean = taken_sum / count
        error = math.sqrt(max(squares / count - mean**2, 0.0) / count)
        return mean / skill, error / skill, (clean_sum / count - guess) / (1 - guess)

    def _changed(self, model: ImageClassifier, batch: A.Batch, draw: int) -> A.Batch:
        epoch = self.tests.index(self._seen) * DRAWS + draw
        return model.augmented(batch, model.augment.noise(batch.index, epoch, device=model.device))

    def state_dict(self) -> dict[str, Any]:
        return {"stairs": self.stairs.state_dict(), "held_out": self._held_out} if self.stairs.heights else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._restored = state_dict or None

    def _restore(self, state: dict[str, Any]) -> None:
        if state["held_out"] != self._held_out:
            raise UserError("StaircasePolicy: the checkpoint held out different images; use its data, seed and share.")
        self.stairs = Stairs.restored(state["stairs"])


def _right(model: ImageClassifier, batch: A.Batch) -> Tensor:
    """Return the probability of the right class (B,)."""
    return losses_of(model, model.backbone, batch).double().neg().exp()
