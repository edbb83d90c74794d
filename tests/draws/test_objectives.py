"""The gradients that a policy is learned from are the right ones."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
import yaml
from hydra.utils import instantiate
from torch import nn
from torch.func import functional_call

import augment as A
from augment.draws import objectives as learning
from augment.layers.policies.learned import GATES, OPERATORS

SAMPLES = 40_000


def tiny_net() -> nn.Module:
    """Frozen, smooth, float64: (B, 1, 5, 5) -> (B, 3)."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(25, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    return net.requires_grad_(False)


def losses_of(pipeline: A.Pipeline, noise: torch.Tensor) -> torch.Tensor:
    """The frozen net's loss on one image, augmented with each row of noise."""
    y, x = torch.meshgrid(torch.arange(5.0), torch.arange(5.0), indexing="ij")
    image = (0.5 + 0.3 * torch.sin(x + 0.5 * y)).double()
    out = pipeline(image.expand(len(noise), 1, 5, 5), noise=noise)
    return F.cross_entropy(tiny_net()(out), torch.ones(len(noise), dtype=torch.long), reduction="none")


def policy_of(*names: str, width: float = 0.4, probability: float = 0.3, seed: int = 0) -> A.Pipeline:
    return A.Pipeline(A.LearnedPolicy(names, width, probability), seed=seed).double()


def test_estimator_is_unbiased_against_enumerated_gates_and_quadrature():
    """Gradient of the expected loss of two operators: within 4 standard errors of the exact one."""
    pipeline = policy_of("rotate", "gamma")
    parameters = list(pipeline.parameters())
    nodes = (torch.arange(48).double() + 0.5) / 48
    # every combination of gates weighted with its probability, every pair of widths on a grid
    grid = torch.cartesian_prod(nodes, nodes)
    expected = 0.0
    for gates in itertools.product((True, False), repeat=2):
        p = [layer.p.probability() for layer in pipeline.layers[0].layers]
        weight = math.prod(q if on else 1 - q for q, on in zip(p, gates, strict=True))
        columns = [torch.full((len(grid),), 0.0 if on else 1 - 1e-9, dtype=torch.float64) for on in gates]
        noise = torch.stack([columns[0], grid[:, 0], columns[1], grid[:, 1]], dim=1)
        expected = expected + weight * losses_of(pipeline, noise).mean()
    exact = torch.cat([g.flatten() for g in torch.autograd.grad(expected, parameters)])

    batches = []
    for epoch in range(40):
        noise = pipeline.noise(torch.arange(SAMPLES // 40), epoch=epoch).double()
        values = losses_of(pipeline, noise)
        loss = learning.budget_loss(values, values.detach() - 1.0, pipeline.log_prob(noise))
        batches.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)]))
    estimates = torch.stack(batches)
    error = estimates.std(0) / len(batches) ** 0.5
    assert ((estimates.mean(0) - exact).abs() < 4 * error).all()
    assert (error < 0.25 * exact.abs()).all(), "so blunt a test would pass with anything"


def test_choice_weights_are_unbiased():
    layers = [A.RandomBrightness((v, v)) for v in (0.7, 1.0, 1.2)]
    pipeline = A.Pipeline(A.OneOf(layers, weights=(1, 2, 3), learnable=True)).double()
    choice = pipeline.layers[0].choice
    each = torch.stack([losses_of(pipeline, torch.tensor([[(1, 3, 5)[i] / 6 - 0.1]]).double())[0] for i in range(3)])
    (exact,) = torch.autograd.grad((choice.logits.softmax(0) * each).sum(), choice.logits)
    noise = pipeline.noise(torch.arange(SAMPLES)).double()
    values = losses_of(pipeline, noise)
    per_sample = learning.score(values, pipeline.log_prob(noise))
    (estimate,) = torch.autograd.grad(per_sample.mean(), choice.logits)
    spread = (values.std() / SAMPLES**0.5).item()
    torch.testing.assert_close(estimate, exact, rtol=0, atol=4 * spread)
    assert (exact.abs() > 8 * spread).any()


@pytest.mark.parametrize("name", OPERATORS)
def test_widths_follow_finite_differences_with_common_noise(name):
    channels = 3 if name in ("saturation", "hue") else 1
    pipeline = A.Pipeline(A.LearnedPolicy([name], 0.3, 0.7)).double()
    noise = pipeline.noise(torch.arange(32)).double() * 0.9 + 0.05
    torch.manual_seed(0)
    image, weights = torch.rand(32, channels, 7, 7).double() * 0.5 + 0.25, torch.randn(channels, 7, 7).double()

    def value() -> torch.Tensor:
        return (pipeline(image, noise=noise) * weights).sum() / 32

    rho = pipeline.layers[0].spreads()[name].rho
    (gradient,) = torch.autograd.grad(value(), rho)
    step, values = 1e-6, []
    for sign in (1, -1):
        with torch.no_grad():
            rho += sign * step
            values.append(value())
            rho -= sign * step
    torch.testing.assert_close(gradient, (values[0] - values[1]) / (2 * step), rtol=1e-4, atol=1e-7)
    assert gradient != 0


@pytest.mark.parametrize("name", [*OPERATORS, *GATES])
def test_every_parameter_gets_a_gradient_and_changes_what_is_drawn(name, photos):
    drawn = {}
    for p in (0.02, 0.98):
        pipeline = A.Pipeline(A.LearnedPolicy([name], width=0.3, probability=p))
        noise = pipeline.noise(torch.arange(400))
        layer = pipeline.layers[0].layers[0]
        drawn[p] = layer.params(noise)["gate"].float().mean().item()
        assert drawn[p] == pytest.approx(p, abs=4 * (p * (1 - p) / 400) ** 0.5)
    noise = pipeline.noise(torch.arange(8))
    images = pipeline(photos, noise=noise)
    losses = (images * torch.linspace(0, 1, images[0].numel()).view_as(images[0])).mean((1, 2, 3))
    log_p = pipeline.log_prob(noise)
    loss = learning.budget_loss(losses, losses.detach(), log_p) - 0.1 * learning.entropy(pipeline)
    for parameter, gradient in zip(
        pipeline.parameters(), torch.autograd.grad(loss, list(pipeline.parameters())), strict=True
    ):
        assert torch.isfinite(gradient).all(), parameter
        assert (gradient != 0).any(), parameter


@pytest.mark.parametrize("name", OPERATORS)
def test_a_width_changes_what_is_drawn(name):
    spread = []
    for width in (0.02, 0.98):
        layer = A.LearnedPolicy([name], width).layers[0]
        (learned,) = (q for q in layer._quantities if isinstance(getattr(layer, q), A.Spread))
        spread.append(layer.params(layer.noise(torch.arange(400)))[learned].std())
    assert spread[1] > 40 * spread[0]


@pytest.mark.parametrize(
    "build",
    [
        lambda: A.RandomSolarize(A.Uniform(0.2, 0.8, learnable=True)),
        lambda: A.RandomPosterize(A.Constant(4.0, learnable=True)),
        lambda: A.RandomSnow(snow_coefficient=A.Spread(0.1, 0.3, 0.5)),
    ],
)
def test_what_no_gradient_reaches_is_refused(build):
    """The reward for width alone would move it, to its ends."""
    with pytest.raises(ValueError, match=r"cannot be learned.*use Choice\(values, learnable=True\)"):
        build()


def test_gates_cannot_be_learned_from_samples_that_all_drew_the_same():
    """Each would be its own baseline, and the gradient 0."""
    pipeline = A.Pipeline(A.LearnedPolicy(["rotate"], same_on_batch=True))
    with pytest.raises(ValueError, match="same_on_batch=True must be False to learn p"):
        pipeline.log_prob(pipeline.noise(torch.arange(4)))


def test_a_choice_of_magnitudes_is_reached_by_the_score_function(photos):
    pipeline = A.Pipeline(A.RandomSolarize(A.Choice([0.1, 0.5, 0.9], learnable=True), p=1.0))
    noise = pipeline.noise(torch.arange(8))
    losses = pipeline(photos, noise=noise).mean((1, 2, 3))
    loss = learning.budget_loss(losses, losses.detach(), pipeline.log_prob(noise))
    (gradient,) = torch.autograd.grad(loss, list(pipeline.parameters()))
    assert (gradient != 0).all()
    assert gradient.sum().abs() < 1e-6, "probabilities go on summing to 1"


def test_only_what_a_sample_got_counts_in_its_log_probability():
    """Alternatives share their columns of noise: the gate of one that was not chosen says nothing."""
    gate = A.Bernoulli(0.3, learnable=True)
    one = A.OneOf([A.RandomInvert(p=gate), A.RandomHorizontalFlip(p=0.5)], learnable=True)
    noise = torch.tensor([[0.2, 0.1], [0.2, 0.9], [0.7, 0.1], [0.7, 0.9]])
    expected = torch.tensor([0.5 * 0.3, 0.5 * 0.7, 0.5, 0.5]).log()
    torch.testing.assert_close(A.Pipeline(one).log_prob(noise), expected)
    fixed = A.Pipeline(A.RandomInvert(p=0.3), A.OneOf([A.RandomInvert(), A.RandomHue((0, 0.1))]))
    torch.testing.assert_close(fixed.log_prob(fixed.noise(torch.arange(4))), torch.zeros(4))


def test_the_policy_is_off_in_eval_while_the_pipeline_trains(photos):
    policy = A.LearnedPolicy(width=0.5, probability=0.9)
    pipeline = A.Pipeline(A.RandomHorizontalFlip(p=0.5), policy, seed=2)
    noise = pipeline.noise(torch.arange(8))
    policy.eval()
    torch.testing.assert_close(
        pipeline(photos, noise=noise), A.RandomHorizontalFlip(p=0.5)(photos, noise=noise[:, :1]), rtol=0, atol=1e-5
    )
    policy.train()
    assert (pipeline(photos, noise=noise) - A.RandomHorizontalFlip()(photos, noise=noise[:, :1])).abs().max() > 0.1


@pytest.mark.parametrize("whole", [True, False], ids=["pipeline", "policy"])
def test_what_is_exported_draws_what_was_learned(whole, photos, tmp_path):
    policy = A.LearnedPolicy([*OPERATORS, *GATES], width=0.4, probability=0.4)
    with torch.no_grad():
        for place, parameter in enumerate(policy.parameters()):
            parameter += 0.1 * (place % 7 - 3)  # away from where it started, each elsewhere
    learned = A.Pipeline(policy, A.Normalize(0.5, 0.5), seed=3) if whole else A.Pipeline(policy)
    (learned if whole else policy).export(tmp_path / "new" / "policy.yaml")
    fixed = instantiate(yaml.safe_load((tmp_path / "new" / "policy.yaml").read_text()), _convert_="all")
    assert not list(fixed.parameters())
    index = torch.arange(8)
    # equalize and its like amplify rounding
    torch.testing.assert_close(fixed(photos, index=index), learned(photos, index=index), atol=1e-2, rtol=0)


def test_entropy_is_that_of_its_definition():
    pipeline = A.Pipeline(A.LearnedPolicy(["rotate", "invert"], width=0.25, probability=0.2), A.RandomInvert(p=0.1))
    bernoulli = -(0.2 * math.log(0.2) + 0.8 * math.log(0.8))
    assert learning.entropy(pipeline).item() == pytest.approx(math.log(0.25) + 2 * bernoulli, abs=1e-5)
    ranges = A.RandomBrightness(A.Uniform(0.5, 1.5, learnable=True))  # of the legal 0 to 2
    assert learning.entropy(ranges).item() == pytest.approx(math.log(0.5), abs=1e-3)
    assert learning.entropy(A.RandomInvert()).item() == 0


def test_entropy_raises_every_width_and_budget_stops_it():
    """A toy in closed form: the loss is the mean width; at a budget of delta the width settles where it costs delta."""
    layer = A.RandomBrightness(A.Spread(0.05, 0.9, 1.0), p=1.0)
    optimizer, log_beta, delta = torch.optim.Adam(layer.parameters(), lr=0.05), math.log(0.1), 0.1
    for step in range(600):
        noise = layer.noise(torch.arange(64), epoch=step)
        loss = (layer.params(noise)["brightness"] - 1).abs()
        gap = loss.detach()
        total = learning.budget_loss(loss, gap, layer.log_prob(noise)) - math.exp(log_beta) * learning.entropy(layer)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        log_beta = learning.next_log_beta(log_beta, gap.mean().item(), delta)
    assert layer.brightness.width().item() == pytest.approx(2 * delta, rel=0.15)  # E|u| of U(-w, w) is w / 2


def test_multiplier_moves_by_at_most_its_rate():
    assert learning.next_log_beta(-2.0, 0.0, 0.1) == pytest.approx(-2 + 0.05)
    assert learning.next_log_beta(-2.0, 0.1, 0.1) == -2
    assert learning.next_log_beta(-2.0, 1e9, 0.1) == pytest.approx(-2 - 0.05)
    low, high = learning.LOG_BETA_RANGE
    assert learning.next_log_beta(high, 0.0, 0.1) == high
    assert learning.next_log_beta(low, 1.0, 0.1) == low


def test_leave_one_out_over_all_processes():
    values = torch.tensor([1.0, 2.0, 6.0, 7.0])
    torch.testing.assert_close(learning.leave_one_out(values), torch.tensor([5.0, 14 / 3, 10 / 3, 3.0]))
    halves = torch.cat([learning.leave_one_out(part, values) for part in values.split(2)])
    torch.testing.assert_close(halves, learning.leave_one_out(values))
    assert learning.leave_one_out(torch.tensor([3.0])).item() == 0


def test_alignment_is_the_mixed_derivative():
    """Against second-order autograd on a tiny network: minus d/d rho of (grad_theta training loss . v)."""
    pipeline = policy_of("rotate", "gamma", probability=0.999)
    net = tiny_net().requires_grad_(True)
    weights = {name: w.detach() for name, w in net.named_parameters()}
    torch.manual_seed(1)
    direction = {name: torch.randn_like(w) for name, w in weights.items()}
    noise = pipeline.noise(torch.arange(16)).double() * 0.9
    images = torch.rand(16, 1, 5, 5).double() * 0.5 + 0.25
    labels = torch.arange(16) % 3
    rho = [s.rho for s in pipeline.layers[0].spreads().values()]

    def losses(at: dict[str, torch.Tensor]) -> torch.Tensor:
        return F.cross_entropy(functional_call(net, at, (pipeline(images, noise=noise),)), labels, reduction="none")

    epsilon = 1e-4
    plus, minus = (losses(learning.moved(weights, direction, s * epsilon)) for s in (1, -1))
    ours = torch.autograd.grad(learning.aligned_loss(plus, minus, epsilon, torch.zeros(16)), rho)

    live = {name: w.clone().requires_grad_() for name, w in weights.items()}
    length = torch.stack([d.square().sum() for d in direction.values()]).sum().sqrt()
    gradient = torch.autograd.grad(losses(live).mean(), list(live.values()), create_graph=True)
    slope = sum((g * d / length).sum() for g, d in zip(gradient, direction.values(), strict=True))
    exact = torch.autograd.grad(-slope, rho)
    torch.testing.assert_close(torch.stack(ours), torch.stack(exact), rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"operators": ["twirl"]}, "'twirl'; known are rotate"),
        ({"operators": {"rotate": 200.0}}, r"operators\['rotate'\]=200.0 must lie within \(0, 180\]"),
        ({"operators": {"invert": 1.0}}, r"operators\['invert'\]=1.0 must be None"),
        ({"width": 1.0}, r"width=1.0 must lie within \(0, 1\)"),
        ({"probability": 0.0}, r"probability=0.0 must lie within \(0, 1\)"),
        ({"operators": []}, "must hold at least one"),
    ],
)
def test_what_a_learned_policy_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        A.LearnedPolicy(**arguments)
