"""Schedules: magnitudes and probabilities as functions of the epoch, or of a number given for each sample."""

import math

import pytest
import torch
from hydra.utils import instantiate

import augment as A
from augment.draws.noise import key_of
from augment.engine.execution import execute_whole
from tests.unchecked import import_unchecked

INDEX = torch.arange(64)


def drawn(layer: A.Layer, epoch: int, quantity: str, **given: object) -> torch.Tensor:
    return layer.params(layer.noise(INDEX, epoch, given=given))[quantity]


@pytest.mark.parametrize(
    ("between", "halfway", "quarter"), [("linear", 15, 10), ("cosine", 15, 5 + 20 * (1 - math.cos(math.pi / 4)) / 2)]
)
def test_a_number_follows_the_epoch(between, halfway, quarter):
    layer = A.RandomGamma(A.Schedule({10: 5.0, 30: 25.0}, between=between))
    for epoch, expected in ((0, 5), (10, 5), (15, quarter), (20, halfway), (30, 25), (31, 25), (2**24 + 5, 25)):
        torch.testing.assert_close(drawn(layer, epoch, "gamma"), torch.full((64,), float(expected)))


def test_steps_keep_each_value_until_the_next():
    layer = A.RandomGamma(A.Schedule({0: 1.0, 3: 2.0, 4: 3.0}, between="step"))
    assert [drawn(layer, epoch, "gamma")[0].item() for epoch in range(6)] == [1, 1, 1, 2, 3, 3]


def test_a_range_follows_the_epoch_and_every_sample_draws_from_it():
    layer = A.RandomRotation(A.Schedule({0: 10.0, 10: 30.0}))
    for epoch, widest in ((0, 10), (5, 20), (10, 30)):
        degrees = drawn(layer, epoch, "degrees")
        assert 0.8 * widest < degrees.max() <= widest
        assert -widest <= degrees.min() < -0.8 * widest
    pair = drawn(A.RandomResizedCrop(8, scale=A.Schedule({0: (0.9, 1.0), 4: (0.1, 0.2)})), 4, "scale")
    assert pair.shape == (64, 10)
    assert 0.1 <= pair.min() < 0.11 < 0.19 < pair.max() <= 0.2


def test_the_same_uniforms_as_without_a_schedule():
    plain, followed = A.RandomRotation(20.0), A.RandomRotation(A.Schedule({0: 10.0, 10: 30.0}))
    torch.testing.assert_close(drawn(followed, 5, "degrees"), drawn(plain, 5, "degrees"))


def test_a_probability_follows_the_epoch():
    layer = A.RandomInvert(p=A.Bernoulli(A.Schedule({0: 0.0, 4: 1.0})))
    index = torch.arange(2000)
    shares = [layer.params(layer.noise(index, epoch))["gate"].float().mean().item() for epoch in range(5)]
    assert shares == pytest.approx([0, 0.25, 0.5, 0.75, 1], abs=0.05)
    assert (shares[0], shares[4]) == (0, 1)


def test_a_number_for_each_sample():
    layer = A.RandomErasing(p=A.Bernoulli(A.Schedule({0: 0.0, 1: 1.0}, of="ease")))
    gate = drawn(layer, 0, "gate", ease=torch.tensor([0.0, 1.0]).repeat(32))
    assert torch.equal(gate, torch.tensor([False, True]).repeat(32))
    assert drawn(layer, 0, "gate", ease=1.0).all()


def everywhere() -> A.Pipeline:
    """Return a pipeline with schedules in all kinds of containers."""
    growing = A.Schedule({0: 1.0, 10: 3.0})
    return A.Pipeline(
        A.RandomHorizontalFlip(),
        A.OneOf([A.RandomErasing(p=1.0), A.RandomGamma(growing)]),
        A.SomeOf([A.RandomGamma(growing), A.RandomRotation(A.Schedule({0: 0.0, 10: 50.0}))], n=1),
        A.RandomOrder([A.RandomGamma(growing), A.RandomInvert(p=A.Bernoulli(A.Schedule({0: 0.0, 10: 1.0})))]),
        A.Pipeline(A.RandAugment(2, m=A.Schedule({0: 0.0, 10: 30.0})), A.RandomGamma((1.0, 1.5))),
        A.RandomMix([A.RandomMixUp(A.Schedule({0: 0.0, 10: 0.5})), A.RandomCutMix()]),
    )


def test_layers_in_containers_follow():
    pipeline, seen = everywhere(), set()
    for epoch, gamma in ((0, 1.0), (10, 3.0)):
        for noise in pipeline.noise(INDEX, epoch):
            told = pipeline.explain(noise, (16, 16))["layers"]
            gammas = [entry["gamma"] for entry in told if entry["layer"] == "RandomGamma"]
            assert gammas[:-1] == [gamma] * 4  # the last one has no schedule; those of RandomOrder are listed twice
            assert 1 <= gammas[-1] < 1.5
            values = [entry.get("value", 0.0) for entry in told if entry.get("operator") == "Rotate"]
            assert {abs(value) for value in values} <= {0.0 if epoch == 0 else 30.0}
            seen |= {(epoch, *values)}
            weights = [entry["lambda_val"] for entry in told if entry.get("choice") == "RandomMixUp"]
            assert set(weights) <= {0.0 if epoch == 0 else 0.5}
            seen |= {("mixed", epoch, *weights)}
    assert {("mixed", 0, 0.0), ("mixed", 10, 0.5)} < seen
    assert (10, 30.0) in seen or (10, -30.0) in seen


def test_a_replay_holds_the_strength_of_its_epoch(photos):
    pipeline = everywhere()
    batch = A.Batch(photos, label=torch.eye(8), index=torch.arange(8))
    once = pipeline(batch, epoch=7).image
    assert torch.equal(pipeline(batch, pipeline.noise(batch.index, 7)).image, once)
    assert not torch.equal(pipeline(batch, pipeline.noise(batch.index, 8)).image, once)
    assert 0 <= pipeline.noise(batch.index, 2**32 - 1).min() <= pipeline.noise(batch.index, 2**32 - 1).max() < 1


def test_no_epoch_compiles_anew(photos):
    torch._dynamo.reset()
    calls = []

    def backend(graph, inputs):
        calls.append(graph)
        return graph

    free = import_unchecked("augment")  # the compiler cannot look into type checks
    layer = free.Pipeline(free.RandomGamma(free.Schedule({0: 1.0, 10: 3.0})), compile=False)
    compiled = torch.compile(layer, backend=backend, fullgraph=True)
    for epoch in range(3):
        index = torch.arange(8)
        out = compiled(photos, index=index, epoch=torch.tensor(epoch))
        torch.testing.assert_close(out, layer(photos, index=index, epoch=epoch))
    assert len(calls) == 1


def test_a_schedule_is_plain_data(photos):
    pipeline = everywhere()
    again = instantiate(pipeline.config(), _convert_="all")
    batch = A.Batch(photos, label=torch.eye(8), index=torch.arange(8))
    assert torch.equal(again(batch, epoch=4).image, pipeline(batch, epoch=4).image)
    assert pipeline.config()["_args_"][1]["layers"][1]["gamma"] == {
        "_target_": "augment.Schedule",
        "values": {0: 1.0, 10: 3.0},
        "between": "linear",
        "of": "epoch",
    }


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: A.Schedule({}), "Schedule: values={} must map epochs"),
        (lambda: A.Schedule({3: 1.0, 1: 2.0}), "must have their epochs in ascending order"),
        (lambda: A.Schedule({-1: 1.0}), r"Schedule: values=-1 must lie within \[0, "),
        (lambda: A.Schedule({0: (2.0, 1.0)}), "must be a pair"),
        (lambda: A.Schedule({0: 1.0, 2: 1.0}, of="ease"), r"values=2 must lie within \[0, 1\]"),
        (lambda: A.Schedule({0: 1.0}, between="log"), "between='log' must be one of linear, cosine, step"),
        (lambda: A.RandomSolarize(thresholds=A.Schedule({0: 0.5, 9: 2.0})), "RandomSolarize: thresholds="),
        (lambda: A.RandomRotation(A.Schedule({0: -5.0})), "must not be negative"),
        (lambda: A.Bernoulli(A.Schedule({0: 2.0})), r"Bernoulli: p=.* within \[0, 1\]"),
        (lambda: A.Bernoulli(A.Schedule({0: 0.5}), learnable=True), "learnable=True must be False"),
        (lambda: A.RandAugment(m=A.Schedule({0: 31.0})), r"RandAugment: m=.* within \[0, 30\]"),
        (lambda: A.RandAugment(m=A.Schedule({0: 9.0}), mstd=0.5), "mstd=0.5 must be 0"),
    ],
)
def test_what_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_what_is_given_must_fit(photos):
    layer = A.RandomErasing(p=A.Bernoulli(A.Schedule({0: 0.0, 1: 1.0}, of="ease")))
    with pytest.raises(ValueError, match="a schedule follows 'ease', which must be given"):
        layer(photos, index=torch.arange(8))
    for value, message in (
        (2.0, r"given\['ease'\]=2.0 must be a number in \[0, 1\]"),
        (torch.rand(3), r"\(64,\), one per sample, got \(3,\)"),
        (torch.full((64,), math.nan), r"must lie within \[0, 1\]"),
    ):
        with pytest.raises(ValueError, match=message):
            layer.noise(INDEX, given={"ease": value})
    with pytest.raises(ValueError, match=r"given=\['ease'\] must name what schedules follow: nothing"):
        A.RandomErasing().noise(INDEX, given={"ease": 1.0})


def test_the_epoch_reaches_a_pass_that_draws_by_itself(photos):
    """Compiled code for a GPU draws from (index, epoch) within the graph."""
    pipeline, index = everywhere(), torch.arange(8)
    batch = A.Batch(photos, label=torch.eye(8))
    expected = pipeline(batch, index=index, epoch=6)
    drawn_within = execute_whole(pipeline, batch, key_of(index, 6))
    torch.testing.assert_close(drawn_within.image, expected.image)
