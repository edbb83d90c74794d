"""AdaptiveStrength: a callback that adjusts the augmentation to the gap between training and validation loss."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor

import augment as A
from augment.data.known import known
from lightning_modules.classifier import ImageClassifier, model_of
from lightning_modules.data.datamodule import data_of
from lightning_modules.errors import UserError
from lightning_modules.learning.policy_steps import losses_of
from lightning_modules.model.backbones import frozen

PROBE = (61, 67)
"""An image size that no layer produces by accident: a layer that returns another size changes the image size."""


class AdaptiveStrength(Callback):
    """Scale the probability of every random layer by one strength that follows how much the classifier overfits.

    After every validation, the callback computes the loss on some training images, preprocessed as for validation, and
    compares it with the validation loss: gap = 1 - training / validation. The gap is 0 without overfitting and 1 at
    its worst. If the gap exceeds the target, the strength rises by one step; otherwise it falls by one step. Karras et
    al. 2020, "Training generative adversarial networks with limited data", section 3.1, apply the same controller to a
    discriminator's outputs. Layers that change the image size, such as crops, are left alone. The strength is a
    parameter that no optimizer trains, so changing it triggers no recompilation, and checkpoints include it.

    Args:
        target: the gap to maintain, in (0, 1).
        step: change of the strength per validation, in (0, 1].
        start: initial strength, in [0, 1].
        samples: number of training images to evaluate, summed over all processes.
    """

    def __init__(self, target: float = 0.3, step: float = 0.05, start: float = 0.0, samples: int = 512) -> None:
        for name, value, low in (("target", target, 1e-6), ("step", step, 1e-6), ("start", start, 0.0)):
            if not low <= value <= 1:
                raise UserError(f"AdaptiveStrength: {name}={value} must lie within {'[' if low == 0 else '('}0, 1].")
        if samples < 1:
            raise UserError(f"AdaptiveStrength: samples={samples} must be at least 1.")
        self.target, self.step, self.strength, self.samples = target, step, start, samples
        self.gates: list[tuple[A.Bernoulli, float]] = []

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if data_of(trainer) is None:
            raise UserError("AdaptiveStrength: it needs the training images of an ImageDataModule.")
        if not self.gates:
            layers = [layer for layer in model_of(pl_module).augment.layers if isinstance(layer, A.Layer)]
            self.gates = [_own_gate(layer) for layer in layers if _scalable(layer)]
            if not self.gates:
                raise UserError("AdaptiveStrength: augment has no random layer that keeps the size of the image.")
            self._apply()

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING:
            return
        model = model_of(pl_module)
        validation = model.losses["val"].compute().item()
        training = self._training_loss(trainer, model)
        gap = 1 - training / max(validation, 1e-12)
        change = self.step if gap > self.target else -self.step
        self.strength = min(max(self.strength + change, 0.0), 1.0)
        self._apply()
        pl_module.log_dict({"adaptive/gap": gap, "adaptive/strength": self.strength})

    def state_dict(self) -> dict[str, Any]:
        return {"strength": self.strength}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.strength = state_dict["strength"]
        self._apply()

    def _apply(self) -> None:
        for gate, full in self.gates:
            gate.p.assign(full * self.strength)

    @torch.no_grad()
    def _training_loss(self, trainer: pl.Trainer, model: ImageClassifier) -> float:
        data = known(data_of(trainer))
        images = data.splits.train
        count = min(self.samples, len(images))
        numbers = [place * len(images) // count for place in range(count)][trainer.global_rank :: trainer.world_size]
        total: Tensor = torch.zeros(2, device=model.device)
        with frozen(model.backbone), trainer.precision_plugin.forward_context():
            for start in range(0, len(numbers), data.batch_size):
                batch = images.__getitems__(numbers[start : start + data.batch_size]).to(model.device)
                losses = losses_of(model, model.backbone, model.preprocessed(batch))
                total += torch.stack([losses.sum(), losses.new_tensor(len(losses))])
        total = trainer.strategy.reduce(total, reduce_op="sum")
        return (total[0] / total[1]).item()


def _scalable(layer: A.Layer) -> bool:
    if layer.deterministic or layer.p.support() == (0.0, 0.0):
        return False
    try:
        return tuple(layer.out_size(PROBE)) == PROBE
    except ValueError:  # a crop larger than the probe
        return False


def _own_gate(layer: A.Layer) -> tuple[A.Bernoulli, float]:
    """Give a layer a gate whose probability can change without recompilation; return it and the full probability."""
    if layer.p.of is not None:
        raise UserError(f"AdaptiveStrength: p of {type(layer).__name__} follows a schedule; give it a number.")
    full = layer.p.config()
    layer.p = A.Bernoulli(full, learnable=True).requires_grad_(False)
    return layer.p, full
