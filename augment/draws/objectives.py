"""Objectives for learning the widths, probabilities and weights of a pipeline.

Widths get the pathwise gradient through the images. Hard gates and choices have no such gradient and use the score
function: the gradient of E[l] is E[(l - b) grad log P(gates)]. The baseline b, the mean loss of the other samples,
lowers the variance without bias. All gradients are first order. Each of the three objectives maps (B,) losses to a
number:

- `budget_loss` (the default): maximises augmentation within a budget of extra loss on held-out images.
- `aligned_loss`: favours augmentation with a training gradient that lowers the loss on held-out images, by finite
  differences.
- `joint_loss`: training loss minus a reward for width, without held-out images (Augerino, Benton et al. 2020).

A step of the default in a custom loop, with `policy = torch.optim.Adam(pipeline.parameters(), lr=0.05)`:

    noise = pipeline.noise(index=index, epoch=step)
    augmented = cross_entropy(teacher(pipeline(images, noise=noise)), labels, reduction="none")
    gap = (augmented - clean).detach()
    loss = budget_loss(augmented, gap, pipeline.log_prob(noise)) - math.exp(log_beta) * entropy(pipeline)
    log_beta = next_log_beta(log_beta, float(gap.mean()), delta)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from augment.data.types import Float, PerSample
from augment.draws.distributions import Distribution

Everyone = Float[Tensor, " n"]

LOG_BETA_RATE = 0.05
"""Step of the logarithm of the multiplier per unit of remaining relative budget."""

LOG_BETA_RANGE = (math.log(1e-4), math.log(10.0))
"""Outside this range the entropy is negligible compared with any loss, or dominates it."""


def entropy_terms(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yields (name, entropy) of each learnable distribution in a module.

    The entropy is log(width / cap) for a width, and in nats for a gate or choice. A sum of logarithms keeps all widths
    positive; with a norm of the widths a single one could dominate.
    """
    for name, part in module.named_modules():
        if isinstance(part, Distribution):
            value = part.entropy()
            if value is not None:
                yield name, value


def entropy(module: nn.Module) -> Tensor:
    """Sums the entropies of all learnable distributions in a module, differentiably; 0 if there are none."""
    values = [value for _, value in entropy_terms(module)]
    return torch.stack(values).sum() if values else torch.zeros(())


def leave_one_out(values: PerSample, everyone: Everyone | None = None) -> PerSample:
    """Returns the mean of the other samples, a baseline that does not depend on the sample's own draw.

    Args:
        values: (B,).
        everyone: (N,) values of all processes, including `values`; `values` by default.
    """
    everyone = values if everyone is None else everyone
    return (everyone.sum() - values) / max(len(everyone) - 1, 1)


def score(values: PerSample, log_p: PerSample, everyone: Everyone | None = None) -> PerSample:
    """Returns (B,), with the gradient of E[values] with respect to the probabilities of gates and choices."""
    return (values - leave_one_out(values, everyone)).detach() * log_p


def budget_loss(augmented: PerSample, gap: PerSample, log_p: PerSample, everyone: Everyone | None = None) -> Tensor:
    """Objective A: the augmented loss of a frozen teacher on held-out images. Subtract beta times the entropy.

    Args:
        augmented: (B,) losses with a gradient to the widths.
        gap: (B,) augmented loss minus the loss of the same image without the policy.
        log_p: (B,) `pipeline.log_prob(noise)`.
        everyone: (N,) gaps of all processes.

    Returns:
        The sum over this process's samples divided by the number of all samples, to be summed over processes.
    """
    return (augmented + score(gap, log_p, everyone)).sum() / len(gap if everyone is None else everyone)


def next_log_beta(log_beta: float, gap: float, delta: float) -> float:
    """Raises the multiplier of the entropy if the mean gap is below the budget `delta` (nats), and lowers it if above.

    A step is at most LOG_BETA_RATE, which limits the effect of a single bad batch.
    """
    change = min(max((delta - gap) / delta, -1.0), 1.0)
    low, high = LOG_BETA_RANGE
    return min(max(log_beta + LOG_BETA_RATE * change, low), high)


def aligned_loss(
    plus: PerSample, minus: PerSample, epsilon: float, log_p: PerSample, everyone: Everyone | None = None
) -> Tensor:
    """Objective B: minus the derivative of the training loss along the gradient of the held-out loss.

    A step of the classifier on these images changes the held-out loss by -(learning rate) * |g| times that derivative,
    where g is the held-out gradient. A larger derivative therefore means better augmentation.

    Args:
        plus, minus: (B,) losses of the same augmented images, with weights moved by +-epsilon along g / |g|.
        epsilon: distance of that move.
        log_p: (B,) `pipeline.log_prob(noise)`.
        everyone: (N,) derivatives (plus - minus) / (2 epsilon) of all processes.

    Returns:
        The sum over this process's samples divided by the number of all samples.
    """
    slope = (plus - minus) / (2 * epsilon)
    return -(slope + score(slope, log_p, everyone)).sum() / len(slope if everyone is None else everyone)


def moved(weights: Mapping[str, Tensor], direction: Mapping[str, Tensor], distance: float) -> dict[str, Tensor]:
    """Moves weights by a distance along a direction of any length, for `torch.func.functional_call`."""
    length = torch.stack([d.square().sum() for d in direction.values()]).sum().sqrt().clamp(min=1e-12)
    return {name: (w + distance * direction[name] / length).detach() for name, w in weights.items()}


def joint_loss(losses: PerSample, log_p: PerSample, everyone: Everyone | None = None) -> Tensor:
    """Objective C: the training loss. Subtract a small multiple of the entropy.

    Args:
        losses: (B,) training losses of the classifier.
        log_p: (B,) `pipeline.log_prob(noise)`.
        everyone: (N,) losses of all processes.

    Returns:
        The sum over this process's samples divided by the number of all samples.
    """
    return budget_loss(losses, losses, log_p, everyone)
