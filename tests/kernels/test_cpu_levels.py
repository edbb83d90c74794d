"""Layers that have kernels for bytes on a CPU give what torch's own operators give, compiled too, and step aside."""

import pytest
import torch
from torch import Tensor

import augment as A
from augment.kernels.cpu import levels as native
from augment.kernels.cpu import library
from augment.kernels.reference.filtering import sharpen
from augment.kernels.reference.levels import count_levels
from tests.unchecked import import_unchecked

plain = import_unchecked("augment")

pytestmark = pytest.mark.skipif(not library.AVAILABLE, reason="nothing compiled the kernels when this was installed")

BATCH = 12
SIZES = [(23, 31), (3, 3), (2, 9), (9, 2), (1, 1), (40, 45)]  # of the last more pixels than are looked up at once
ORDERS = pytest.mark.parametrize("order", [torch.channels_last, torch.contiguous_format], ids=["interleaved", "planes"])
LAYERS = {
    "posterize": lambda lib, p: lib.RandomPosterize((0.0, 8.0), p=p),
    "solarize": lambda lib, p: lib.RandomSolarize(0.4, 0.3, p=p),
    "invert": lambda lib, p: lib.RandomInvert((0.5, 1.0), p=p),
    "tone_curve": lambda lib, p: lib.RandomToneCurve(0.3, p=p),
    "equalize": lambda lib, p: lib.RandomEqualize(p=p),
    "sharpness": lambda lib, p: lib.RandomSharpness((0.0, 3.0), p=p),
    "erasing": lambda lib, p: lib.RandomErasing((0.0, 1.0), value=0.25, p=p),
}
EACH = pytest.mark.parametrize("name", LAYERS)
TOLERANCE = {"sharpness": 1e-6}
"""Where the order of a sum differs; elsewhere it is the same bits."""


def images(channels: int = 3, size: tuple[int, int] = (23, 31), order: torch.memory_format = torch.channels_last):
    """Usual images, flat ones, such of two levels and such of few."""
    made = torch.randint(0, 256, (BATCH, channels, *size), generator=torch.Generator().manual_seed(0))
    made[::4] = made[::4] // 3 + 80
    made[1::4] = 200
    made[2] = (made[2] > 128) * 90 + 10
    made[6] = made[6] * (made[6] > 250)
    return made.to(torch.uint8).contiguous(memory_format=order)


def assert_same(name: str, out: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(out, expected, rtol=0, atol=TOLERANCE.get(name, 0), check_stride=False)


@EACH
@ORDERS
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_results_are_those_of_torch(size, channels, order, name, in_torch):
    layer, image = LAYERS[name](A, 0.7), images(channels, size, order)
    noise = layer.noise(torch.arange(BATCH))
    out, expected = layer(image, noise), in_torch(layer, image, noise)
    assert_same(name, out, expected)
    assert out.is_contiguous(memory_format=torch.channels_last)
    closed = ~layer.params(noise)["gate"]
    assert 0 < closed.sum() < BATCH
    assert torch.equal(out[closed], image[closed].float() * (1 / 255))


VIEWS = {
    "without alpha": lambda: images(4)[:, :3],
    "cut out": lambda: images(4, (30, 40))[:, 1:, 3:20, 2:35],
    "every second": lambda: images(6, (34, 66))[:, ::2, ::2, ::2],
    "expanded": lambda: images(1)[:1].expand(BATCH, 3, -1, -1),
    "transposed": lambda: images().mT,
    "nothing": lambda: images()[:0],
    "one image": lambda: images()[:1],
}


@EACH
@pytest.mark.parametrize("view", VIEWS)
def test_views_of_other_memory(view, name, in_torch):
    layer, image = LAYERS[name](A, 0.7), VIEWS[view]()
    noise = layer.noise(torch.arange(len(image)))
    assert_same(name, layer(image, noise), in_torch(layer, image, noise))


@EACH
@ORDERS
def test_compiled_code_calls_them(order, name):
    """Among other layers and for batches of every size."""
    image = images(order=order)
    first, others = LAYERS[name], (plain.RandomHorizontalFlip(), plain.RandomBrightness((0.5, 1.5)))
    eager, compiled = (plain.Pipeline(first(plain, 0.5), *others, compile=choice) for choice in (False, True))
    noise = eager.noise(torch.arange(BATCH))
    for some in (slice(None), slice(5), slice(1)):
        torch.testing.assert_close(
            compiled(image[some], noise[some]), eager(image[some], noise[some]), rtol=0, atol=1e-6
        )


@EACH
def test_threads_change_nothing(name):
    layer, image = LAYERS[name](A, 0.7), images(size=(40, 45))
    noise, before = layer.noise(torch.arange(BATCH)), torch.get_num_threads()
    out = layer(image, noise)
    try:
        torch.set_num_threads(3)
        assert torch.equal(layer(image, noise), out)
    finally:
        torch.set_num_threads(before)


def test_behind_a_layer_that_keeps_bytes_and_where_bytes_are_asked_for(in_torch):
    pipeline = A.Pipeline(A.RandomVerticalFlip(), A.RandomEqualize(), A.RandomPosterize(3), dtype=torch.uint8)
    noise = pipeline.noise(torch.arange(BATCH))
    out = pipeline(images(), noise)
    assert out.dtype == torch.uint8
    assert torch.equal(out, in_torch(pipeline, images(), noise))


def test_a_rectangle_beyond_the_image_is_cut():
    image = images(size=(5, 6))[:6]
    boxes = torch.tensor([[4.0, 5, 9, 9], [-2, -2, 3, 3], [7, 8, 2, 2], [0, 0, 0, 6], [torch.nan] * 4, [-9, -9, 3, 3]])
    out, as_floats = native._erased(image, boxes, -1.0, True), image.float() * (1 / 255)
    erased = (out == -1).all(1)
    assert erased[0, 4, 5]
    assert erased[1, 0, 0]
    assert erased.sum() == 2
    assert torch.equal(out[2:], as_floats[2:])


def test_their_operators_are_sound():
    for image in (images()[:2], images(order=torch.contiguous_format)[:2]):
        together = not image.is_contiguous()
        torch.library.opcheck(native._counted.operator, (image, together))
        torch.library.opcheck(native._looked_up.operator, (image, torch.rand(2, 3, 256), together))
        torch.library.opcheck(native._sharpened.operator, (image, torch.rand(2), together))
        torch.library.opcheck(native._erased.operator, (image, torch.rand(2, 4), 0.5, together))


class Doubled(A.PixelOp):
    """A layer of a user, with a quantity that learns."""

    by_level = True
    differentiable = frozenset({"factor"})

    def __init__(self) -> None:
        super().__init__()
        self.quantity("factor", A.Uniform(1.0, 2.0, learnable=True))

    def pixel(self, planes, params):
        return tuple(plane * params["factor"][:, None, None] for plane in planes)


def test_they_step_aside(in_torch):
    """For floats, and where somebody asks for a gradient."""
    assert count_levels.kernel_for(images())
    assert not sharpen.kernel_for(images().float(), None, torch.rand(BATCH))
    assert not sharpen.kernel_for(images(), None, torch.rand(BATCH, requires_grad=True))
    layer, image = Doubled(), images()
    noise = layer.noise(torch.arange(BATCH))
    layer(image, noise).sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in layer.parameters())
    with torch.no_grad():
        assert torch.equal(layer(image, noise), in_torch(layer, image, noise))
