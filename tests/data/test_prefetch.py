"""The next batch is on its way while this one is in use."""

from typing import NamedTuple

import pytest
import torch

import augment as A
from augment.data.prefetch import mapped, one_ahead


class Pair(NamedTuple):
    image: torch.Tensor
    name: str


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_each_batch_is_sent_before_the_one_before_it_is_used(count):
    events = []

    def told(what):
        return lambda i: events.append(f"{what} {i}") or i

    for batch in one_ahead(map(told("fetch"), range(count)), told("send"), told("wait")):
        told("use")(batch)
    assert [e for e in events if e.startswith("use")] == [f"use {i}" for i in range(count)]
    for i in range(count):
        assert events.index(f"fetch {i}") < events.index(f"send {i}") < events.index(f"wait {i}")
        assert events.index(f"wait {i}") < events.index(f"use {i}")
    for i in range(count - 1):
        assert events.index(f"send {i + 1}") < events.index(f"wait {i}")
        if i + 2 < count:
            assert events.index(f"use {i}") < events.index(f"send {i + 2}"), "more than one batch ahead"


def test_every_tensor_in_a_batch_is_reached():
    image, label = torch.ones(2, 3, 4, 4), torch.zeros(2)
    packed = A.PackedImages.from_images(
        [torch.ones(3, 4, 5, dtype=torch.uint8), torch.ones(3, 6, 2, dtype=torch.uint8)]
    )
    given = {"a": [image, (label, "text")], "b": A.Batch(packed, label=label), "c": Pair(image, "x"), "d": 3}
    out = mapped(given, lambda tensor: tensor + 1)
    assert torch.equal(out["a"][0], image + 1)
    assert torch.equal(out["a"][1][0], label + 1)
    assert out["a"][1][1] == "text"
    assert torch.equal(out["b"].image.data, packed.data + 1)
    assert torch.equal(out["b"].image.sizes, packed.sizes + 1)
    assert torch.equal(out["b"].label, label + 1)
    assert isinstance(out["c"], Pair)
    assert torch.equal(out["c"].image, image + 1)
    assert (out["c"].name, out["d"]) == ("x", 3)
    assert torch.equal(image, torch.ones(2, 3, 4, 4)), "the input has been written to"


def devices():
    return ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"))]


@pytest.mark.parametrize("device", devices())
def test_batches_arrive_whole_and_in_order(device):
    loader = torch.utils.data.DataLoader(
        torch.arange(40 * 1000).reshape(40, 1000), batch_size=8, pin_memory=device == "cuda"
    )
    arrived = []
    for batch in A.prefetched(loader, device):
        assert batch.device.type == device
        arrived.append((batch * 2).cpu())
    assert torch.equal(torch.cat(arrived), 2 * loader.dataset)


def test_an_error_of_the_loader_is_seen():
    def source():
        yield torch.zeros(1)
        raise RuntimeError("the disk is gone")

    with pytest.raises(RuntimeError, match="the disk is gone"):
        list(A.prefetched(source(), "cpu"))
