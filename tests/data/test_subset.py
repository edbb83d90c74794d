"""Work on the chosen samples only gives what work on all of them, and a choice afterwards, gives."""

import pytest
import torch

import augment as A
from augment.data import subset as rows
from augment.kernels.cpu import library
from augment.kernels.cpu import policy_step as kernels
from augment.kernels.reference import grid_sampling as dense_samplers
from augment.kernels.reference import policy_step as on_bytes
from augment.kernels.reference import warping
from augment.layers.policies.operators import space
from tests.conformance.catalogue import LAYERS, as_batch, draw, make


@pytest.mark.parametrize("name", [name for name, cls in LAYERS.items() if cls.compilable])
def test_every_layer(name, photos, monkeypatch):
    """With a gate for half of the samples, and inside a choice."""
    gated = make(name, p=0.5) if "p" in LAYERS[name].__init__.__annotations__ else make(name)
    noise = draw(gated)
    some = gated(as_batch(photos), noise).image
    for module in (rows, dense_samplers, on_bytes):
        monkeypatch.setattr(module, "rows_of", lambda chosen: None)
    for module in (warping, on_bytes):
        monkeypatch.setattr(module, "takes_rows", lambda drawn: False)
    torch.testing.assert_close(some, gated(as_batch(photos), noise).image, rtol=0, atol=1e-5)


def test_others_stay_what_they_are_and_nothing_is_written_to():
    before, chosen = torch.rand(4, 2), torch.tensor([True, False, True, False])
    kept = before.clone()
    (out,) = rows.on_chosen(
        chosen,
        lambda parts, params: (parts[0] * params[0]["by"][:, None],),
        (before,),
        [{"by": torch.tensor([2.0, 3.0, 4.0, 5.0])}],
    )
    assert torch.equal(out, before * torch.tensor([[2.0], [1.0], [4.0], [1.0]]))
    assert torch.equal(before, kept)


@pytest.mark.parametrize("chosen", [[False, False], [True, True]])
def test_none_and_all_are_not_copied(chosen):
    seen, part = [], torch.rand(2, 3)

    def function(parts, params):
        seen.append(parts[0] is part)
        return parts

    assert rows.on_chosen(torch.tensor(chosen), function, (part,), [])[0] is part
    assert seen == [True] * all(chosen)


def test_gradients_reach_images_and_magnitudes_of_the_chosen():
    gamma = A.RandomGamma(A.Uniform(0.5, 2.0, learnable=True), p=0.5)
    image = torch.rand(8, 3, 5, 6, requires_grad=True)
    noise = gamma.noise(torch.arange(8))
    gamma(image, noise).sum().backward()
    chosen = gamma.params(noise)["gate"]
    assert 0 < chosen.sum() < 8
    assert torch.equal(image.grad[~chosen], torch.ones_like(image.grad[~chosen]))
    assert (image.grad[chosen] != 1).all()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in gamma.parameters())


@pytest.mark.parametrize(
    "chosen", [[True, False, True, True, False], [False] * 5, [True] * 5], ids=["some", "none", "all"]
)
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last], ids=["planar", "channels_last"])
def test_operators_that_compiled_code_leaves_alone(chosen, order):
    """torch's own checks of custom operators: schemas, fake tensors with their strides, aliasing, autograd."""
    image = torch.randint(0, 256, (5, 3, 8, 9), dtype=torch.uint8).contiguous(memory_format=order)
    operators = torch.tensor([6, 7, 9, 12, 13])
    op, value = torch.where(torch.tensor(chosen), operators, 0), torch.tensor([1.5, 0.2, 1.9, 0.0, 0.0])
    names = " ".join(operator.name for operator in space("randaugment"))
    moved = image, torch.eye(3).expand(5, 3, 3).contiguous(), torch.tensor(chosen), [0.5, 0.2, 0.9]
    if library.AVAILABLE:
        torch.library.opcheck(kernels._stepped.operator, (image, names, op, value))
        torch.library.opcheck(kernels._moved.operator, moved)
    torch.library.opcheck(kernels._stepped_in_torch.operator, (image, names, op, value))
    torch.library.opcheck(kernels._moved_in_torch.operator, moved)
