"""Freeze: trains the last layer of a network first, and the rest of it later."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from timm.models import group_parameters
from torch import nn
from torch.optim import Optimizer

from lightning_modules.classifier import model_of
from lightning_modules.errors import UserError
from lightning_modules.model.backbones import BATCH_NORMS


class Freeze(Callback):
    """Train only the last layer of a timm network for some epochs, then all of it, at once or stage by stage.

    What is frozen keeps its weights and its batch-norm statistics. The epoch alone decides what is frozen, so a resumed
    run goes on as the first one would have.

    Args:
        epochs: epochs in which only the last layer is trained, at least 0.
        stage_epochs: epochs after which one more stage is trained, from the last stage to the first; None trains all
            stages at once.
        fix_statistics: keep the batch-norm statistics of the whole network in all epochs.
    """

    def __init__(self, epochs: int, stage_epochs: int | None = None, fix_statistics: bool = False) -> None:
        if epochs < 0:
            raise UserError(f"Freeze: epochs={epochs} must be at least 0.")
        if stage_epochs is not None and stage_epochs < 1:
            raise UserError(f"Freeze: stage_epochs={stage_epochs} must be at least 1, or null.")
        self.epochs, self.stage_epochs, self.fix_statistics = epochs, stage_epochs, fix_statistics
        self.stages: list[dict[str, nn.Parameter]] = []
        self.frozen: dict[str, nn.Parameter] = {}

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage == "fit":
            self.stages = stages_of(model_of(pl_module).backbone)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        backbone = model_of(pl_module).backbone
        for parameter in self.frozen.values():
            parameter.requires_grad_(True)
        self.frozen = {}
        for stage in self.stages[self._trained(trainer.current_epoch) :]:
            self.frozen |= stage
        for parameter in self.frozen.values():
            # several processes wait for the gradients of all parameters that trained at the start
            parameter.requires_grad_(trainer.world_size > 1)
        for name, layer in backbone.named_modules():
            if isinstance(layer, BATCH_NORMS):
                layer.train(not self.fix_statistics and f"{name}.weight" not in self.frozen)

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        for parameter in self.frozen.values():
            parameter.grad = None  # so that the optimizer skips it, weight decay included

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for parameter in self.frozen.values():
            parameter.requires_grad_(True)

    def _trained(self, epoch: int) -> int:
        """Return how many stages, from the last one on, are trained in an epoch."""
        if epoch < self.epochs:
            return 0
        if self.stage_epochs is None:
            return len(self.stages)
        return 1 + (epoch - self.epochs) // self.stage_epochs


def stages_of(backbone: Any) -> list[dict[str, nn.Parameter]]:
    """Return the parameters of a timm network by name for each of its stages, from the last stage to the stem.

    The last layer, which computes the logits, is in none of them.
    """
    if not hasattr(backbone, "get_classifier") or not hasattr(backbone, "group_matcher"):
        raise UserError(
            f"Freeze needs a network of timm, which knows its last layer and its stages; a {type(backbone).__name__} "
            "does not."
        )
    heads = backbone.get_classifier()
    heads = heads if isinstance(heads, (tuple, list)) else (heads,)
    head = {id(parameter) for layer in heads for parameter in layer.parameters()}
    numbers = group_parameters(backbone, backbone.group_matcher(coarse=True), reverse=True)
    stages: dict[int, dict[str, nn.Parameter]] = {}
    for name, parameter in backbone.named_parameters():
        if id(parameter) not in head:
            stages.setdefault(numbers[name], {})[name] = parameter
    return [stages[number] for number in sorted(stages, reverse=True)]
