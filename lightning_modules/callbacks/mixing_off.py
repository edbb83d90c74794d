"""MixingOff: trains on unmixed images in the last epochs."""

from __future__ import annotations

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

import augment as A
from lightning_modules.classifier import model_of
from lightning_modules.errors import UserError


class MixingOff(Callback):
    """Leave out all layers that mix images, such as MixUp and CutMix, in the last epochs.

    The draws of all other layers stay the same.

    Args:
        epochs: number of epochs at the end of the training without mixing, at least 1.
    """

    def __init__(self, epochs: int) -> None:
        if epochs < 1:
            raise UserError(f"MixingOff: epochs={epochs} must be at least 1.")
        self.epochs = epochs
        self.gates: dict[A.Mix, A.Bernoulli] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.max_epochs in (None, -1):
            raise UserError("MixingOff needs the number of epochs: give trainer.max_epochs.")
        mixes = [leaf for leaf in model_of(pl_module).augment.leaves() if isinstance(leaf, A.Mix)]
        if not mixes:
            raise UserError("MixingOff: augment has no layer that mixes images: choose augment=mixing or leave it out.")
        for layer in mixes:
            if list(layer.p.parameters()):
                raise UserError(f"MixingOff: p of {type(layer).__name__} is learned or adapted, so it must stay on.")
        self.gates = {layer: layer.p for layer in mixes}
        self.on_train_epoch_start(trainer, pl_module)  # a run may continue within an epoch

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        off = trainer.current_epoch >= (trainer.max_epochs or 0) - self.epochs
        for layer, gate in self.gates.items():
            layer.p = _closed(gate) if off else gate

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for layer, gate in self.gates.items():
            layer.p = gate


def _closed(gate: A.Bernoulli) -> A.Bernoulli:
    """Return a gate that is never open and uses as many draws as another one."""
    if gate.of is not None:
        return A.Bernoulli(A.Schedule({0: 0.0}, of=gate.of))
    closed = A.Bernoulli(0.0)
    closed.draws = gate.draws
    return closed
