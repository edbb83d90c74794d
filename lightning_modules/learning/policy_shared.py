"""Policy gradients from the classifier's own backward pass, for `method=joint`."""

from __future__ import annotations

import pytorch_lightning as pl
import torch
from torch import Tensor

import augment as A
from augment.data.types import Float, PerSample
from augment.draws import objectives as learning
from lightning_modules.classifier import ImageClassifier
from lightning_modules.learning.policy_steps import Gather, flat, learnable


class SharedPass:
    """Collect the gradient of the training loss with respect to a policy from the classifier's own passes.

    From `begin` to the end of the backward pass, the policy's parameters require a gradient like the classifier's, so
    one backward pass reaches the widths through the images. Gates have no gradient through the images; they use the
    score function estimator on the losses of the same forward pass. Gradients of accumulated batches are summed.

    Args:
        pipeline: the pipeline to learn; between passes its parameters require no gradient.
    """

    def __init__(self, pipeline: A.Pipeline) -> None:
        self.pipeline, self.policy = pipeline, list(pipeline.parameters())
        self.open = False
        self.gradient = flat([None] * len(self.policy), self.policy)

    def begin(self) -> None:
        """Enable gradients before a batch that the policy learns from."""
        self.open = True
        self.pipeline.requires_grad_(True)

    def after_backward(self, trainer: pl.Trainer) -> None:
        """Move the gradients of the widths out of the parameters before any optimizer runs."""
        if self.open:
            scaler = getattr(trainer.precision_plugin, "scaler", None)  # a scaler has multiplied the loss
            scale = 1.0 if scaler is None else scaler.get_scale()
            self.gradient += flat([p.grad for p in self.policy], self.policy) / (scale * trainer.world_size)
            self.pipeline.zero_grad()
            self.pipeline.requires_grad_(False)

    def after_batch(
        self, trainer: pl.Trainer, model: ImageClassifier, batch: A.Batch, losses: PerSample, gather: Gather
    ) -> None:
        """Add the gradients of the gates, computed from the batch's losses (B,) and its noise, which is drawn again."""
        if self.open:
            with learnable(self.pipeline):
                noise = self.pipeline.noise(batch.index, model.current_epoch, device=model.device)
                surrogate = learning.joint_loss(losses, self.pipeline.log_prob(noise), gather(losses))
                if surrogate.requires_grad:  # a pipeline may have only widths
                    gradient = torch.autograd.grad(surrogate, self.policy, allow_unused=True)
                    self.gradient += flat(gradient, self.policy) / trainer.accumulate_grad_batches
            self.open = False

    def take(self) -> Float[Tensor, " parameters"]:
        """Return this process's gradient since the last call; the caller sums it over processes."""
        gradient, self.gradient = self.gradient, torch.zeros_like(self.gradient)
        return gradient
