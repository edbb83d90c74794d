"""CUDA graphs without a GPU: when a pass is captured, when it is replayed, and with what inputs."""

import contextlib
from types import SimpleNamespace

import pytest
import torch

import augment as A
from tests.unchecked import import_unchecked

replay = import_unchecked("augment.engine.cuda_graphs")
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
        def __init__(self, function, batch, noise, copies):
            held = []
            super().__init__(lambda b, n: held.append((b, n)) or function(b, n), batch, noise, copies)
            given, self.graph.copies = held.pop(), copies
            self.graph.again = lambda: [
                old.copy_(new)
                for old, new in zip(self.output.parts().values(), function(*given).parts().values(), strict=True)
            ]

    stream = SimpleNamespace(wait_stream=lambda other: None, cuda_stream=0)
    fakes = {
        "Stream": lambda: stream,
        "current_stream": lambda: stream,
        "is_current_stream_capturing": lambda: False,
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
    for _ in range(8):
        given, noise = batch(), torch.rand(4, 1)
        kept.append((given, run(given, noise), function(given, noise)))
    for _, found, wanted in kept:
        assert torch.equal(found.image, wanted.image)
        assert torch.equal(found.label, wanted.label)
    assert [graph.copies for graph in graphs] == [False] * replay._IN_PLACE + [True]
    assert sum(graph.replays for graph in graphs) == 8


def test_images_at_the_same_place_are_read_there_and_results_written_where_the_last_were(graphs):
    run, function = passed(Layer())
    given = batch()
    places = set()
    for _ in range(3):
        given.image.copy_(torch.rand(4, 3, 5, 5))
        given.label.copy_(torch.randint(9, (4,)))
        noise = torch.rand(4, 1)
        found = run(given, noise)
        assert torch.equal(found.image, function(given, noise).image)
        assert torch.equal(found.label, given.label)
        places.add(found.image.data_ptr())
        del found
    assert len(graphs) == len(places) == 1


def test_images_at_another_place_are_read_there(graphs):
    run, function = passed(Layer())
    first, second, noise = batch(), batch(), torch.rand(4, 1)
    for given in (first, second, first):
        assert torch.equal(run(given, noise).image, function(given, noise).image)
    assert [graph.replays for graph in graphs] == [2, 1]


@pytest.mark.parametrize(
    "held",
    [lambda out: out.image, lambda out: out.image[0, 0], lambda out: out.label, lambda out: out.image.detach()],
    ids=["images", "view", "label", "detached"],
)
def test_what_somebody_holds_is_not_written_to(graphs, held):
    run, _ = passed(Layer())
    given = batch()
    kept = held(run(given, torch.rand(4, 1)))
    before = kept.clone()
    given.image.zero_()
    given.label.zero_()
    run(given, torch.rand(4, 1))
    assert torch.equal(kept, before)
    assert len(graphs) == 2
    del kept
    run(given, torch.rand(4, 1))
    assert [graph.replays for graph in graphs] == [2, 1]


def test_what_a_backward_pass_needs_is_not_written_to(graphs):
    run, _ = passed(Layer())
    given, weight = batch(), torch.ones(5, 2, requires_grad=True)
    image = run(given, torch.rand(4, 1)).image
    wanted, out = image.sum((0, 1, 2))[:, None].expand(5, 2).clone(), image @ weight
    del image
    given.image.zero_()
    run(given, torch.rand(4, 1))
    out.sum().backward()
    torch.testing.assert_close(weight.grad, wanted)


def test_the_images_given_are_not_kept_and_not_given_away(graphs):
    layer = Layer()
    run = replay.Replayed(layer, lambda batch, noise: batch)
    given = batch()
    found = run(given, None)
    assert torch.equal(found.image, given.image)
    (graph,) = run.captured.popitem()[1]
    kept = [*graph.inputs, *graph.output.parts().values(), found.image]
    assert given.image.data_ptr() not in {tensor.data_ptr() for tensor in kept}


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


def test_who_captures_a_graph_gets_the_kernels_in_it(graphs, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    run, function = passed(Layer())
    given, noise = batch(), torch.rand(4, 1)
    assert torch.equal(run(given, noise).image, function(given, noise).image)
    assert not graphs


def test_a_few_kinds_are_kept(graphs, monkeypatch):
    monkeypatch.setattr(replay, "_KINDS", 2)
    run, function = passed(Layer())
    for size in (3, 4, 5, 6):
        given, noise = batch(4, size), torch.rand(4, 1)
        assert torch.equal(run(given, noise).image, function(given, noise).image)
    assert len(graphs) == 2
