"""CUDA graphs without a GPU: when a pass is captured, when it is replayed, and with what inputs."""

import contextlib
from types import SimpleNamespace

import pytest
import torch

import augment as A
from tests.unchecked import import_unchecked

replay = import_unchecked("augment.gpu.replay")
Key = replay.Key


class Layer(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.factor, self.offset = 2.0, torch.nn.Parameter(torch.zeros(3), requires_grad=False)
        self.inner = torch.nn.Identity()


@pytest.fixture
def graphs(monkeypatch):
    """All that are captured. A fake graph computes again where a real one launches kernels again."""
    made = []

    class Graph:
        def __init__(self) -> None:
            made.append(self)
            self.replays = 0

        def replay(self) -> None:
            self.replays += 1
            self.again()

    class Captured(replay.Captured):
        def __init__(self, function, batch, noise):
            held = []
            super().__init__(lambda b, n: held.append((b, n)) or function(b, n), batch, noise)
            given = held[-1]
            self.graph.again = lambda: [
                old.copy_(new)
                for old, new in zip(self.output.parts().values(), function(*given).parts().values(), strict=True)
            ]

    stream = SimpleNamespace(wait_stream=lambda other: None)
    fakes = {
        "Stream": lambda: stream,
        "current_stream": lambda: stream,
        "stream": contextlib.nullcontext,
        "CUDAGraph": Graph,
        "graph": lambda graph, **options: contextlib.nullcontext(),
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    monkeypatch.setattr(replay, "Captured", Captured)
    return made


def passed(layer):
    def function(batch, noise):
        shift = noise if isinstance(noise, torch.Tensor) else noise.index.float()[:, None]
        return batch.replace(image=batch.image * layer.factor + layer.offset.sum() + shift[:, :, None, None])

    return replay.Replayed(layer, function), function


def batch(count=4, size=5):
    return A.Batch(torch.rand(count, 3, size, size), label=torch.arange(count))


def test_replays_take_the_new_inputs_and_leave_the_old_results_alone(graphs):
    run, function = passed(Layer())
    kept = []
    for _ in range(3):
        given, noise = batch(), torch.rand(4, 1)
        kept.append((run(given, noise), function(given, noise)))
    assert len(graphs) == 1
    assert graphs[0].replays == 3
    for found, wanted in kept:
        assert torch.equal(found.image, wanted.image)
        assert torch.equal(found.label, wanted.label)


def test_other_kinds_of_batches_are_captured_by_themselves(graphs):
    run, function = passed(Layer())
    key = Key(torch.arange(4), torch.tensor(0))
    for given, noise in ((batch(), torch.rand(4, 1)), (batch(4, 6), torch.rand(4, 1)), (batch(), key)):
        assert torch.equal(run(given, noise).image, function(given, noise).image)
    assert len(graphs) == 3


@pytest.mark.parametrize(
    "change",
    [
        lambda layer: setattr(layer, "factor", 3.0),
        lambda layer: setattr(layer, "inner", torch.nn.ReLU()),
        lambda layer: layer.inner.eval(),
        lambda layer: setattr(layer.offset, "data", torch.ones(3)),
    ],
    ids=["attribute", "layer", "mode", "memory"],
)
def test_a_changed_module_is_captured_anew(graphs, change):
    layer = Layer()
    run, function = passed(layer)
    given, noise = batch(), torch.rand(4, 1)
    run(given, noise)
    change(layer)
    assert torch.equal(run(given, noise).image, function(given, noise).image)
    run(given, noise)
    assert len(graphs) == 2


def test_parameters_that_are_written_in_place_need_no_new_capture(graphs):
    layer = Layer()
    run, function = passed(layer)
    given, noise = batch(), torch.rand(4, 1)
    run(given, noise)
    layer.offset.add_(1.0)
    assert torch.equal(run(given, noise).image, function(given, noise).image)
    assert len(graphs) == 1


def test_nothing_is_captured_where_a_gradient_is_wanted(graphs):
    layer = Layer()
    layer.offset.requires_grad_()
    run, _ = passed(layer)
    run(batch(), torch.rand(4, 1)).image.sum().backward()
    assert layer.offset.grad is not None
    assert not graphs


def test_a_few_kinds_are_kept(graphs, monkeypatch):
    monkeypatch.setattr(replay, "_GRAPHS", 2)
    run, function = passed(Layer())
    for size in (3, 4, 5, 6):
        given, noise = batch(4, size), torch.rand(4, 1)
        assert torch.equal(run(given, noise).image, function(given, noise).image)
    assert len(graphs) == 2
