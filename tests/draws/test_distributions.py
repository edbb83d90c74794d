"""Inverse CDFs against scipy, legal ranges, learnable bounds, and the shorthand."""

import json
import math

import pytest
import torch
from scipy import stats

import augment as A
from augment.draws.shorthand import as_distribution

U = (torch.arange(20_000) + 0.5) / 20_000

INVERSE_CDFS = {
    "Uniform": (A.Uniform(-2, 5), stats.uniform(-2, 7)),
    "LogUniform": (A.LogUniform(0.5, 4), stats.loguniform(0.5, 4)),
    "Normal": (A.Normal(1, 2), stats.norm(1, 2)),
    "truncated Normal": (A.Normal(0, 1, low=-0.5, high=2), stats.truncnorm(-0.5, 2)),
    "Beta(.2, .2)": (A.Beta(0.2, 0.2), stats.beta(0.2, 0.2)),
    "Beta(1, 1)": (A.Beta(1, 1), stats.beta(1, 1)),
    "Beta(2, 5)": (A.Beta(2, 5), stats.beta(2, 5)),
}


@pytest.mark.parametrize("name", INVERSE_CDFS)
def test_inverse_cdf(name):
    ours, theirs = INVERSE_CDFS[name]
    expected = torch.from_numpy(theirs.ppf(U.double().numpy()))
    torch.testing.assert_close(ours(U).double(), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", INVERSE_CDFS)
def test_every_uniform_gives_a_finite_value_in_the_support(name):
    ours, _ = INVERSE_CDFS[name]
    values = ours(torch.tensor([0.0, 2**-24, 0.5, 1 - 2**-24]))
    low, high = ours.support()
    assert torch.isfinite(values).all()
    assert (values >= low).all()
    assert (values <= high).all()


PRINTED = {
    "Bernoulli": A.Bernoulli(0.3, learnable=True),
    "Choice": A.Choice([1, 2], learnable=True),
    "Constant": A.Constant(1.0, learnable=True),
    "LogUniform": A.LogUniform(1, 2, learnable=True),
    "Normal": A.Normal(0, 1, learnable=True),
    "Spread": A.Spread(0.1, 0.5),
    "Uniform": A.Uniform(0, 1, learnable=True),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", PRINTED)
def test_what_is_learned_prints_without_a_gradient(name):
    torch.set_warn_always(True)
    try:
        assert repr(PRINTED[name]).startswith(f"{name}(")
        assert repr(PRINTED[name]).endswith("learnable=True)")
        json.dumps(PRINTED[name].config())
    finally:
        torch.set_warn_always(False)


def test_constant_takes_no_draw():
    assert A.Constant(3).draws == 0
    assert A.Constant(3)(torch.rand(2, 5)).eq(3).all()


@pytest.mark.parametrize("p", [0.0, 0.02, 0.5, 0.98, 1.0])
def test_bernoulli(p):
    gate = A.Bernoulli(p)(U)
    assert gate.dtype == torch.bool
    assert gate.double().mean() == pytest.approx(p, abs=1e-3)
    assert A.Bernoulli(p).draws == (0 if p in (0, 1) else 1)


def test_choice():
    choice = A.Choice([10, 20, 30], weights=[1, 0, 3])
    values, counts = choice(U).unique(return_counts=True)
    assert values.tolist() == [10, 30]
    torch.testing.assert_close(counts / len(U), torch.tensor([0.25, 0.75]), rtol=0, atol=1e-3)


@pytest.mark.parametrize("learnable", [False, True])
def test_log_probabilities_are_those_of_the_draws(learnable):
    bernoulli = A.Bernoulli(0.3, learnable)
    expected = torch.tensor([0.3, 0.7]).log()
    torch.testing.assert_close(bernoulli.log_prob(torch.tensor([True, False])), expected, rtol=1e-4, atol=1e-4)
    choice = A.Choice([5, 6, 7], weights=[1, 2, 1], learnable=learnable)
    expected = torch.tensor([0.25, 0.5, 0.25]).log()
    torch.testing.assert_close(choice.log_prob(torch.arange(3)), expected, rtol=1e-4, atol=1e-4)
    if learnable:
        choice.log_prob(torch.tensor([1])).sum().backward()
        assert choice.logits.grad[1] > 0
        bernoulli.log_prob(torch.tensor([True])).sum().backward()
        assert next(bernoulli.parameters()).grad > 0


LEARNABLE = {
    "Uniform": (lambda: A.Uniform(-15, 15, learnable=True), (-180, 180)),
    "Uniform above 0": (lambda: A.Uniform(0.5, 1.5, learnable=True), (0, math.inf)),
    "Uniform below 0": (lambda: A.Uniform(-3, -2, learnable=True), (-math.inf, 0)),
    "Uniform anywhere": (lambda: A.Uniform(-3, 4, learnable=True), (-math.inf, math.inf)),
    "LogUniform": (lambda: A.LogUniform(0.5, 2, learnable=True), (0.1, 10)),
    "Constant": (lambda: A.Constant(0.4, learnable=True), (0, 1)),
    "Normal": (lambda: A.Normal(0.4, 0.2, learnable=True), (0, 1)),
}


@pytest.mark.parametrize("name", LEARNABLE)
def test_learnable_starts_where_it_was_put_and_gets_gradients(name):
    build, legal = LEARNABLE[name]
    learnable, fixed = build(), type(build())(*_fixed(build()))
    for distribution in (learnable, fixed):
        distribution.within(legal)
    torch.testing.assert_close(learnable(U), fixed(U), rtol=1e-4, atol=1e-4)
    learnable(U).square().sum().backward()
    assert all(p.grad.isfinite().all() and (p.grad != 0).all() for p in learnable.parameters())
    assert list(learnable.parameters())


def _fixed(distribution):
    if isinstance(distribution, A.Normal):
        return distribution.mean.initial + distribution.std.initial
    return distribution.bounds.initial


@pytest.mark.parametrize("name", LEARNABLE)
@pytest.mark.parametrize("push", [-50.0, 50.0])
def test_learnable_bounds_cannot_leave_their_legal_range(name, push):
    build, legal = LEARNABLE[name]
    distribution = build()
    distribution.within(legal)
    with torch.no_grad():
        for parameter in distribution.parameters():
            parameter += push
    values = distribution(torch.tensor([0.0, 0.5, 1 - 2**-24]))
    assert torch.isfinite(values).all()
    assert (values >= legal[0] - 1e-5).all()
    assert (values <= legal[1] + 1e-5).all()
    assert (values.diff() >= 0).all(), "low stays below high"


def test_a_learnable_probability_changes_what_is_drawn():
    rarely, often = A.Bernoulli(0.02, learnable=True), A.Bernoulli(0.98, learnable=True)
    assert rarely(U).double().mean() < 0.05
    assert often(U).double().mean() > 0.95


SHORTHAND = {
    "a number about a centre": ((15,), {"around": 0.0}, (-15, 15)),
    "a number without one": ((0.3,), {}, (0.3, 0.3)),
    "a pair": (((0.2, 0.9),), {}, (0.2, 0.9)),
    "a list": (([0.2, 0.9],), {}, (0.2, 0.9)),
    "cut to what is legal": ((1.5,), {"around": 1.0, "clip": True, "legal": (0.0, 9.0)}, (0.0, 2.5)),
}


@pytest.mark.parametrize("case", SHORTHAND)
def test_shorthand(case):
    arguments, options, support = SHORTHAND[case]
    assert as_distribution(*arguments, name="Layer: x", **options).support() == support


@pytest.mark.parametrize(
    "build",
    [
        lambda: A.Uniform(2, 1),
        lambda: A.LogUniform(0, 1),
        lambda: A.Normal(0, 0),
        lambda: A.Bernoulli(1.2),
        lambda: A.Choice([]),
        lambda: A.Choice([1, 2], weights=[0, 0]),
        lambda: A.Choice([1, 2], weights=[1]),
        lambda: A.Beta(0, 1),
    ],
)
def test_impossible_distributions_are_refused(build):
    with pytest.raises(ValueError, match=r"must|needs"):
        build()
