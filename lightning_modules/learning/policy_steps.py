"""Surrogate losses of a learned policy, for the methods that run their own forward and backward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.func import functional_call

import augment as A
from augment.data.known import dense, known
from augment.data.types import Float
from augment.draws import objectives as learning
from augment.layers.policies.learned import policies_in
from lightning_modules.classifier import ImageClassifier
from lightning_modules.model.backbones import frozen

Gather = Callable[[Tensor], Tensor]
"""(B,) values of this process -> (N,) values of all processes."""

EPSILON = 0.01
"""Distance of the finite difference in weight space (Liu et al. 2019, DARTS, section 2.3: 0.01 over the length)."""


def budget_step(
    model: ImageClassifier, teacher: nn.Module, held_out: A.Batch, noise: Tensor, gather: Gather
) -> tuple[Tensor, Tensor]:
    """Compute surrogate A: how much harder augmentation makes held-out images for a frozen teacher.

    Returns:
        The surrogate, and the gap of every sample (B,) in nats.
    """
    augmented = model.augmented(held_out, noise)
    losses = losses_of(model, teacher, augmented)
    with torch.no_grad(), without_policy(model):
        gap = losses.detach() - losses_of(model, teacher, model.augmented(held_out, noise))
    return learning.budget_loss(losses, gap, model.augment.log_prob(noise), gather(gap)), gap


def aligned_step(
    model: ImageClassifier, held_out: A.Batch, batch: A.Batch, noise: Tensor, gather: Gather, mean: Gather
) -> tuple[Tensor, Tensor]:
    """Compute surrogate B: whether the training gradient on augmented images lowers the held-out loss.

    Args:
        mean: function that averages a vector over processes.

    Returns:
        The surrogate, and the slope of every sample (B,).
    """
    with frozen(model.backbone):
        named = {name: w for name, w in model.backbone.named_parameters() if w.requires_grad}
        loss = losses_of(model, model.backbone, model.preprocessed(held_out)).mean()
        flat = mean(torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(named.values()))]))
        sizes = [w.numel() for w in named.values()]
        direction = {name: part.view_as(w) for (name, w), part in zip(named.items(), flat.split(sizes), strict=True)}
        augmented = model.augmented(batch, noise)
        plus, minus = (
            losses_of(model, model.backbone, augmented, learning.moved(named, direction, sign * EPSILON))
            for sign in (1, -1)
        )
        slope = (plus - minus).detach() / (2 * EPSILON)
        log_p = model.augment.log_prob(noise)
        return learning.aligned_loss(plus, minus, EPSILON, log_p, gather(slope)), slope


def losses_of(
    model: ImageClassifier, network: nn.Module, batch: A.Batch, weights: dict[str, Tensor] | None = None
) -> Tensor:
    """Return the losses (B,) of a network, as in the model's evaluation, with other `weights` if given."""
    image = dense(batch.image)
    if not torch.is_autocast_enabled(image.device.type):
        image = image.to(next(network.parameters()).dtype)
    logits = network(image) if weights is None else functional_call(network, weights, (image,))
    return model.loss.evaluated(logits.float(), known(batch.label))


@contextmanager
def without_policy(model: ImageClassifier) -> Iterator[None]:
    """Temporarily disable the learned layers, or the whole pipeline if it has none; the draws stay the same."""
    layers: list[A.Layer] = [*policies_in(model.augment)] or [model.augment]
    for layer in layers:
        layer.eval()
    try:
        yield
    finally:
        for layer in layers:
            layer.train()


@contextmanager
def learnable(pipeline: A.Pipeline) -> Iterator[None]:
    """Temporarily require gradients for the parameters of a pipeline."""
    pipeline.requires_grad_(True)
    try:
        yield
    finally:
        pipeline.requires_grad_(False)


def flat(gradient: Sequence[Tensor | None], parameters: Sequence[Tensor]) -> Float[Tensor, " parameters"]:
    """Concatenate gradients into one vector; a missing gradient counts as 0."""
    pairs = zip(gradient, parameters, strict=True)
    return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for g, p in pairs])
