"""What to minimise so that a pipeline's learnable widths, probabilities and weights fit the data.

Widths are reached by the pathwise gradient through the images; hard gates and choices, which have none, by the score
function: E[l] has the gradient E[(l - b) grad log P(gates)], where the baseline b, the mean loss of the other samples,
lowers the variance and leaves no bias. All of it is first order. Three objectives, each (B,) losses in, a number out:

- `budget_loss` (the default): as much augmentation as a budget of extra loss on held-out images allows.
- `aligned_loss`: augmentation whose training gradient lowers the loss on held-out images, by finite differences.
- `joint_loss`: training loss minus a reward for width, no held-out images (Augerino, Benton et al. 2020).

A step of the default in a loop of one's own, with `policy = torch.optim.Adam(pipeline.parameters(), lr=0.05)`:

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
"""Step of the multiplier's logarithm per unit of relative budget left."""

LOG_BETA_RANGE = (math.log(1e-4), math.log(10.0))
"""Beyond it the entropy is negligible against any loss, or drowns it."""


def entropy_terms(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """(name, entropy) of every learnable distribution in a module: log(width / cap), or a gate's or choice's in nats.

    The sum of logarithms keeps all widths alive; a norm of the widths would let one winner take all.
    """
    for name, part in module.named_modules():
        if isinstance(part, Distribution):
            value = part.entropy()
            if value is not None:
                yield name, value


def entropy(module: nn.Module) -> Tensor:
    """Sum of the entropies of all learnable distributions in a module, differentiable; 0 if there are none."""
    values = [value for _, value in entropy_terms(module)]
    return torch.stack(values).sum() if values else torch.zeros(())


def leave_one_out(values: PerSample, everyone: Everyone | None = None) -> PerSample:
    """The mean of the others: a baseline for each sample that does not depend on what it drew itself.

    Args:
        values: (B,).
        everyone: (N,) of all processes, `values` among them; `values` themselves if not given.
    """
    everyone = values if everyone is None else everyone
    return (everyone.sum() - values) / max(len(everyone) - 1, 1)


def score(values: PerSample, log_p: PerSample, everyone: Everyone | None = None) -> PerSample:
    """(B,), whose gradient is that of E[values] with regard to what the gates and choices were drawn from."""
    return (values - leave_one_out(values, everyone)).detach() * log_p


def budget_loss(augmented: PerSample, gap: PerSample, log_p: PerSample, everyone: Everyone | None = None) -> Tensor:
    """A: the augmented loss of a frozen teacher on held-out images; subtract beta times the entropy from it.

    Args:
        augmented: (B,) losses, with a gradient to the widths.
        gap: (B,) augmented loss minus the same image's loss without the policy.
        log_p: (B,) `pipeline.log_prob(noise)`.
        everyone: (N,) gaps of all processes.

    Returns:
        The sum over this process's samples divided by the number of all: to be summed over processes.
    """
    return (augmented + score(gap, log_p, everyone)).sum() / len(gap if everyone is None else everyone)


def next_log_beta(log_beta: float, gap: float, delta: float) -> float:
    """The entropy's multiplier, raised while the mean gap is below the budget `delta` (nats), lowered above.

    A step is at most LOG_BETA_RATE either way, so that a single bad batch does not throw it.
    """
    change = min(max((delta - gap) / delta, -1.0), 1.0)
    low, high = LOG_BETA_RANGE
    return min(max(log_beta + LOG_BETA_RATE * change, low), high)


def aligned_loss(
    plus: PerSample, minus: PerSample, epsilon: float, log_p: PerSample, everyone: Everyone | None = None
) -> Tensor:
    """B: minus the derivative of the training loss along the direction that raises the held-out loss.

    A step of the classifier on these images changes the held-out loss by -(learning rate) * |g| times that
    derivative, g being the held-out gradient; so the larger it is, the better the augmentation.

    Args:
        plus, minus: (B,) losses of the same augmented images with weights moved by +-epsilon along g / |g|.
        epsilon: the distance.
        log_p: (B,) `pipeline.log_prob(noise)`.
        everyone: (N,) derivatives (plus - minus) / (2 epsilon) of all processes.

    Returns:
        The sum over this process's samples divided by the number of all.
    """
    slope = (plus - minus) / (2 * epsilon)
    return -(slope + score(slope, log_p, everyone)).sum() / len(slope if everyone is None else everyone)


def moved(weights: Mapping[str, Tensor], direction: Mapping[str, Tensor], distance: float) -> dict[str, Tensor]:
    """Weights moved by a distance along a direction of any length, for `torch.func.functional_call`."""
    length = torch.stack([d.square().sum() for d in direction.values()]).sum().sqrt().clamp(min=1e-12)
    return {name: (w + distance * direction[name] / length).detach() for name, w in weights.items()}


def joint_loss(losses: PerSample, log_p: PerSample, everyone: Everyone | None = None) -> Tensor:
    """C: the training loss; subtract a small multiple of the entropy from it.

    Args:
        losses: (B,) training losses of the classifier that is being trained.
        log_p: (B,) `pipeline.log_prob(noise)`.
        everyone: (N,) losses of all processes.

    Returns:
        The sum over this process's samples divided by the number of all.
    """
    return budget_loss(losses, losses, log_p, everyone)
