"""What no kernel may be given is refused before memory is read, and what is no number is brought into the image."""

import importlib.util
from collections.abc import Callable

import pytest
import torch

import augment as A
from augment.data.types import Params
from augment.geometry.interpolation import Window
from augment.kernels.cpu import levels as bytes
from augment.kernels.cpu import library, overlay, sampling, warping
from tests.conformance.catalogue import LAYERS, as_batch, make
from tests.unchecked import import_unchecked

plain = import_unchecked("augment")  # the sentences that a user sees, not those of the tests' type checks

needs_kernels = pytest.mark.skipif(not library.AVAILABLE, reason="nothing compiled them when this was installed")


# ------------------------------------------------------------------------------------------------ images without pixels


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32], ids=str)
@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_refuses_images_without_pixels(name, dtype):
    for shape in ((2, 3, 0, 5), (2, 3, 5, 0), (2, 0, 5, 5), (3, 0, 0)):
        images = torch.zeros(shape, dtype=dtype)
        given = as_batch(images) if len(shape) == 4 and 0 not in shape[2:] else images
        with pytest.raises(ValueError, match=r"images must have at least one channel and one pixel, got \("):
            make(name)(given)


# ----------------------------------------------------------------------------------------------- numbers that are none


BROKEN = [torch.nan, torch.inf, -torch.inf, -1e9, 1e9]
CROPS = {
    "RandomCrop": lambda: A.RandomCrop((9, 10)),
    "padded": lambda: A.RandomCrop((9, 10), padding=3),
    "mirrored": lambda: A.RandomCrop((9, 10), padding=3, padding_mode="reflect"),
    "RandomResizedCrop": lambda: A.RandomResizedCrop((9, 10)),
    "nearest": lambda: A.RandomResizedCrop((9, 10), resample="nearest"),
}


@pytest.mark.parametrize("value", BROKEN)
@pytest.mark.parametrize("name", CROPS)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64], ids=str)
def test_crops_at_no_number_lie_in_the_image(dtype, name, value):
    layer, images = CROPS[name](), torch.randint(1, 200, (3, 3, 20, 24)).to(dtype)
    params = layer.params(layer.noise(torch.arange(3)))
    for quantity in params:
        broken: Params = params | {quantity: torch.full_like(params[quantity], value)}
        resolved = layer.resolve(broken, (20, 24))
        assert all(resolved[side].isfinite().all() for side in ("top", "left"))
        out = layer.transform(A.Batch(images), [broken], [layer], torch.float32).image
        out = out if isinstance(out, torch.Tensor) else torch.stack(out, 1)
        assert out.isfinite().all()
        assert out.min() >= (0 if name == "padded" else 1 / 255)
        assert out.max() <= 200


@needs_kernels
@pytest.mark.parametrize("value", BROKEN)
@pytest.mark.parametrize("straight", [True, False])
@pytest.mark.parametrize("nearest", [True, False])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32], ids=str)
def test_positions_windows_and_radii_that_are_no_numbers(dtype, nearest, straight, value):
    image = torch.full((2, 3, 5, 6), 3.0).to(dtype)
    x, y = torch.arange(70.0)[None, None].expand(2, 1, -1), torch.arange(4.0)[None, :, None].expand(2, -1, 1)
    x, y = (x, y) if straight else (x + 0 * y, y + 0 * x)
    spans, radii = torch.tensor([[0.0, 4, 0, 5]]).repeat(2, 1), torch.full((2, 2), 1.4)
    expected = 3 if nearest or dtype == torch.float32 else 3 / 255
    for broken in (spans, radii, None):
        wrong = [tensor.clone() for tensor in (x, y, spans, radii)]
        for tensor, original in zip(wrong, (x, y, spans, radii), strict=True):
            if broken is None or original is broken:
                tensor[1] = value
        out = sampling._sample(nearest, image, None, None, 3, *wrong)
        torch.testing.assert_close(out.float(), torch.full(out.shape, float(expected)), rtol=0, atol=1e-5)
        matrices = torch.eye(3).repeat(2, 1, 1, 1)
        matrices[1] = value if broken is None else matrices[1]
        fills = [-1.0] * 3  # the outside is not seen
        out = warping._warp(image, None, None, 3, matrices, torch.full((2, 2), 5.0), fills, *wrong[2:], 4, 70)
        assert out.isfinite().all()


@needs_kernels
@pytest.mark.parametrize("value", BROKEN)
def test_rectangles_that_are_no_numbers(value):
    images, boxes = torch.full((2, 3, 5, 6), 7, dtype=torch.uint8), torch.full((2, 4), value)
    out = bytes._erased(images, boxes, 1.0, False)
    assert out.isfinite().all()
    floats = images / 255
    laid = overlay._overlaid(floats, floats.flip(0), torch.tensor([1, 0]), torch.full((2,), 0.5), boxes, False)
    torch.testing.assert_close(laid, floats, rtol=0, atol=1e-6)


@needs_kernels
def test_a_rectangle_in_an_image_longer_than_float32_counts():
    rows = 2**24 + 3  # rounded up to 2**24 + 4
    box = torch.tensor([[2.0**24 - 2, 0, 100, 100]])
    out = bytes._erased(torch.zeros(1, 1, rows, 1, dtype=torch.uint8), box, 1.0, False)
    assert int(out.sum()) == 5


# ------------------------------------------------------------------------------------------------------------ arguments


IMAGE = torch.zeros(2, 3, 5, 6, dtype=torch.uint8)
FLOATS = torch.zeros(2, 3, 5, 6)
PLANES, HALVES = list(FLOATS.unbind(1)), list(FLOATS.half().unbind(1))
UNLIKE = [*PLANES[:2], torch.zeros(2, 5, 5)]
X, Y = torch.zeros(2, 1, 4), torch.zeros(2, 4, 1)
SPANS, RADII = torch.zeros(2, 4), torch.ones(2, 2)
INDEX = (torch.arange(7) - 1).clamp(0, 4), (torch.arange(8) - 1).clamp(0, 5)
WEIGHTS = torch.ones(2, 3)
EMPTY = torch.zeros(2, 3, 0, 6, dtype=torch.uint8)
YES, ONES, EYES = torch.ones(2, dtype=torch.bool), torch.ones(2), torch.eye(3).repeat(2, 1, 1)
PAIR = torch.tensor([1, 0])


native = plain.kernels.cpu  # without the types that tests check otherwise


def sampled(image: torch.Tensor = IMAGE, x: torch.Tensor = X, spans: torch.Tensor = SPANS, **packing: object) -> None:
    known = {"offsets": None, "sizes": None, "channels": 3, "y": Y, "radii": RADII} | packing
    offsets, sizes, channels, y, radii = known.values()
    native.sampling._sample(False, image, offsets, sizes, channels, x, y, spans, radii)


def warped(matrices: torch.Tensor, frames: torch.Tensor, image: torch.Tensor = IMAGE, steps: int = 1) -> None:
    native.warping._warp(image, None, None, 3, matrices, frames, [0.0] * 3 * steps, SPANS, RADII, 4, 4)


DATA = torch.arange(3 * 26).to(torch.uint8)
STARTS, SHORT = torch.tensor([0, 18]), torch.tensor([[2, 3], [1, 2]])
CALLS: dict[str, Callable[[], object]] = {
    "sample: another batch": lambda: sampled(IMAGE[:1]),
    "sample: other channels": lambda: sampled(channels=4),
    "sample: no pixels": lambda: sampled(EMPTY),
    "sample: halves": lambda: sampled(FLOATS.half()),
    "sample: double positions": lambda: sampled(x=X.double()),
    "sample: few spans": lambda: sampled(spans=SPANS[:1]),
    "sample: few radii": lambda: sampled(radii=RADII[:, :1]),
    "sample: no batch": lambda: sampled(IMAGE[0]),
    "sample: packed beyond": lambda: sampled(DATA[:23], offsets=STARTS, sizes=SHORT),
    "sample: packed before": lambda: sampled(DATA, offsets=STARTS - 19, sizes=SHORT),
    "sample: packed nothing": lambda: sampled(DATA, offsets=STARTS, sizes=SHORT * 0),
    "sample: packed floats": lambda: sampled(DATA.float(), offsets=STARTS, sizes=SHORT),
    "sample: few offsets": lambda: sampled(DATA, offsets=STARTS[:1], sizes=SHORT),
    "sample: short sizes": lambda: sampled(DATA, offsets=STARTS, sizes=SHORT.int()),
    "warp: another batch": lambda: warped(EYES[:1, None], torch.ones(1, 2)),
    "warp: no steps": lambda: warped(EYES[:, None][:, :0], torch.ones(2, 0), steps=0),
    "warp: few frames": lambda: warped(EYES[:, None], torch.ones(2, 1)),
    "warp: double": lambda: warped(EYES[:, None].double(), torch.ones(2, 2)),
    "warp: no pixels": lambda: warped(EYES[:, None], torch.ones(2, 2), EMPTY),
    "count: floats": lambda: native.levels._counted(FLOATS, False),
    "count: no pixels": lambda: native.levels._counted(EMPTY, False),
    "look_up: few tables": lambda: native.levels._looked_up(IMAGE, torch.zeros(2, 1, 256), False),
    "look_up: short tables": lambda: native.levels._looked_up(IMAGE, torch.zeros(2, 3, 255), False),
    "sharpen: few changes": lambda: native.levels._sharpened(IMAGE, ONES[:1], False),
    "erase: few boxes": lambda: native.levels._erased(IMAGE, torch.zeros(1, 4), 0.0, False),
    "in_order: unlike planes": lambda: native.ordering._in_order(tuple(UNLIKE), (0.0,) * 3, (1.0,) * 3),
    "in_order: halves": lambda: native.ordering._in_order(tuple(HALVES), (0.0,) * 3, (1.0,) * 3),
    "adjust_color: few chosen": lambda: native.coloring._adjusted(PLANES, YES[:1], ONES[:, None], [0], False),
    "adjust_color: few amounts": lambda: native.coloring._adjusted(PLANES, YES, ONES[:1, None], [0], False),
    "adjust_color: few steps": lambda: native.coloring._adjusted(PLANES, YES, torch.ones(2, 2), [0], False),
    "adjust_color: two planes": lambda: native.coloring._adjusted(PLANES[:2], YES, ONES[:, None], [0], False),
    "adjust_color: no step": lambda: native.coloring._adjusted(PLANES, YES, ONES[:, None], [7], False),
    "filter: few weights": lambda: native.filtering._filtered(PLANES, YES, WEIGHTS[:1], WEIGHTS, *INDEX),
    "filter: long index": lambda: native.filtering._filtered(PLANES, YES, WEIGHTS, WEIGHTS, INDEX[1], INDEX[1]),
    "filter: index beyond": lambda: native.filtering._filtered(PLANES, YES, WEIGHTS, WEIGHTS, INDEX[0], INDEX[1] + 1),
    "filter: index before": lambda: native.filtering._filtered(PLANES, YES, WEIGHTS, WEIGHTS, INDEX[0] - 2, INDEX[1]),
    "filter: few chosen": lambda: native.filtering._filtered(PLANES, YES[:1], WEIGHTS, WEIGHTS, *INDEX),
    "filter: bytes": lambda: native.filtering._filtered(HALVES, YES, WEIGHTS, WEIGHTS, *INDEX),
    "jpeg: few tables": lambda: native.jpeg._coded(
        FLOATS.repeat(2, 1, 1, 1), YES.repeat(2), torch.ones(2, 2, 8, 8), False
    ),
    "jpeg: few chosen": lambda: native.jpeg._coded(FLOATS, YES[:1], torch.ones(2, 2, 8, 8), False),
    "jpeg: no pixels": lambda: native.jpeg._coded(FLOATS[:, :, :0], YES, torch.ones(2, 2, 8, 8), False),
    "overlay: partner beyond": lambda: native.overlay._overlaid(FLOATS, FLOATS, PAIR + 1, ONES, SPANS, False),
    "overlay: partner before": lambda: native.overlay._overlaid(FLOATS, FLOATS, PAIR - 1, ONES, SPANS, False),
    "overlay: nobody else": lambda: native.overlay._overlaid(FLOATS, FLOATS[:0], PAIR, ONES, SPANS, False),
    "overlay: other sizes": lambda: native.overlay._overlaid(FLOATS, FLOATS[..., :5], PAIR, ONES, SPANS, False),
    "overlay: few shares": lambda: native.overlay._overlaid(FLOATS, FLOATS, PAIR, ONES[:1], SPANS, False),
    "overlay: few rectangles": lambda: native.overlay._overlaid(FLOATS, FLOATS, PAIR, ONES, SPANS[:1], False),
    "carry_out: few operators": lambda: native.policy_step.carried_out(IMAGE, ["Invert"], ONES[:1], ONES),
    "carry_out: few values": lambda: native.policy_step.carried_out(IMAGE, ["Invert"], ONES, ONES[:1]),
    "carry_out: no pixels": lambda: native.policy_step.carried_out(EMPTY, ["Invert"], ONES, ONES),
    "move: few matrices": lambda: native.policy_step.moved(IMAGE, EYES[:1], YES, [0.0] * 3),
    "move: few chosen": lambda: native.policy_step.moved(IMAGE, EYES, YES[:1], [0.0] * 3),
    "move: no pixels": lambda: native.policy_step.moved(EMPTY, EYES, YES, [0.0] * 3),
}


@needs_kernels
@pytest.mark.parametrize("name", CALLS)
def test_what_would_be_read_beyond_its_end(name):
    """By the functions that compiled code calls as well."""
    with pytest.raises((TypeError, ValueError), match=f"kernel {name.split(':')[0]}: "):
        CALLS[name]()


@needs_kernels
def test_kernels_compiled_from_older_sources(monkeypatch):
    monkeypatch.setattr(library, "_INTERFACE", -1)
    library.kernels.cache_clear()
    try:
        with pytest.raises(RuntimeError, match="was compiled from an older version: install again"):
            library.kernels()
    finally:
        monkeypatch.undo()
        library.kernels.cache_clear()
    assert library.kernels()


STEP = A.RandomRotation(30.0, p=1.0).motion((5, 6), (5, 6), {"degrees": ONES}, torch.empty(2, 0))
WHOLE = Window.whole((5, 6))
GPU_CALLS: dict[str, Callable[[], object]] = {
    "warp: another batch": lambda: plain.kernels.cuda.warping.warped(IMAGE[:1], [STEP], WHOLE, "bilinear"),
    "blur: few weights": lambda: plain.kernels.cuda.filtering.filtered(
        FLOATS, None, WEIGHTS, WEIGHTS[:1], "reflect", torch.float32
    ),
    "count: few wanted": lambda: plain.kernels.cuda.policy_step.counted(IMAGE, YES[:1]),
    "carry_out: few values": lambda: plain.kernels.cuda.policy_step.carried_out(
        IMAGE, YES, YES, YES, ONES[:1], lambda image: image
    ),
}


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")
@pytest.mark.parametrize("name", GPU_CALLS)
def test_what_a_gpu_would_read_beyond_its_end(name):
    """It is refused before anything is launched, so that no GPU is needed."""
    with pytest.raises(ValueError, match=f"kernel {name.split(':')[0]}: .* must have 2 rows"):
        GPU_CALLS[name]()
