"""Images of one row, one column or one pixel, margins wider than the image, and white: legal, and nothing special."""

from types import ModuleType

import numpy as np
import pytest
import torch

import augment as A
from augment.kernels.cpu import library
from tests.conformance.catalogue import LAYERS, WARPS, make, run
from tests.unchecked import import_unchecked

plain = import_unchecked("augment")  # compiled below, which looks through no type checks

SIZES = [(1, 1), (1, 9), (9, 1), (2, 2), (1, 300), (300, 1)]
DTYPES = [torch.uint8, torch.float32, torch.float64]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_on_few_pixels(name, size):
    layer = LAYERS[name](1) if name in ("CenterCrop", "RandomCrop") else make(name)
    images = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8)
    noise = layer.noise(torch.arange(2))
    for given in (images, images / 255, images.double() / 255):
        out = run(layer, given, noise)
        assert out.shape[2:] == tuple(layer.out_size(size))
        assert out.isfinite().all()


# -------------------------------------------------------------------------------------------------------------- margins

NUMPYS = {"constant": "constant", "replicate": "edge", "edge": "edge", "reflect": "reflect", "symmetric": "symmetric"}


def padded(image: torch.Tensor, below: int, beside: int, mode: str) -> torch.Tensor:
    """NumPy's, which repeats the mirror image as often as it takes."""
    return torch.from_numpy(np.pad(image.numpy(), [(0, 0), (0, below), (0, beside)], NUMPYS[mode]))


@pytest.mark.parametrize("exceeds", [True, False])
@pytest.mark.parametrize("mode", NUMPYS)
@pytest.mark.parametrize("size", [(5, 7), (12, 9), (1, 7), (3, 1), (1, 1), (20, 6), (20, 30)], ids=str)
def test_pad_to_in_every_mode(size, mode, exceeds):
    layer = A.PadTo((12, 14), mode, crop_if_exceeds=exceeds)
    image = torch.randint(0, 256, (3, *size), dtype=torch.uint8)
    below, beside = max(12 - size[0], 0), max(14 - size[1], 0)
    expected = padded(image, below, beside, mode)
    if exceeds:
        expected = expected[:, :12, :14]
    assert torch.equal(layer(image.double()), expected.double())
    expected = expected * torch.tensor(1 / 255)
    assert torch.equal(layer(image), expected)
    if exceeds:
        other = torch.randint(0, 256, (3, 8, 3), dtype=torch.uint8)
        assert torch.equal(layer(A.PackedImages.from_images([other, image]))[1], expected)


PADDINGS = ("zeros", "border", "reflection", "reflect")
PACKED = {
    "rotated": lambda padding: (A.RandomRotation(40.0, padding_mode=padding, p=1.0), A.Resize((9, 11))),
    "moved": lambda padding: (A.RandomTranslate(0.9, 0.9, padding_mode=padding, p=1.0), A.Resize((9, 11))),
    "tilted": lambda padding: (A.RandomPerspective(0.3, padding_mode=padding, p=1.0), A.Resize((9, 11))),
    "nearest": lambda padding: (
        A.RandomAffine(40.0, (0.5, 0.5), resample="nearest", padding_mode=padding, p=1.0),
        A.Resize((9, 11), resample="nearest"),
    ),
    "bicubic": lambda padding: (
        A.RandomShear(40.0, resample="bicubic", padding_mode=padding, p=1.0),
        A.Resize((9, 11), resample="bicubic"),
    ),
}


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("name", PACKED)
def test_packed_images_of_single_rows_and_columns(name, padding):
    pipeline = A.Pipeline(*PACKED[name](padding))
    # the work of a dense sampler grows with the square of the longest side
    images = [torch.randint(0, 256, (3, *(min(side, 90) for side in size)), dtype=torch.uint8) for size in SIZES]
    noise = pipeline.noise(torch.arange(len(images)))
    together = pipeline(A.PackedImages.from_images(images), noise)
    assert together.isfinite().all()
    for number, image in enumerate(images):
        alone = pipeline(image, noise[number : number + 1])
        torch.testing.assert_close(together[number], alone, rtol=0, atol=1e-4)


@pytest.mark.parametrize("mode", NUMPYS)
def test_packed_crops_with_margins(mode):
    layer = A.RandomCrop(6, padding=5, padding_mode=mode)
    images = [torch.randint(0, 256, (3, *size), dtype=torch.uint8) for size in SIZES]
    noise = layer.noise(torch.arange(len(images)))
    together = layer(A.PackedImages.from_images(images), noise)
    for number, image in enumerate(images):
        assert torch.equal(together[number], layer(image, noise[number : number + 1]))


# ---------------------------------------------------------------------------------------------------------------- crops


@pytest.mark.parametrize("ratio", [(0.01, 0.02), (50.0, 100.0), (1e-3, 1e-3), (1e3, 1e3), (1e-3, 1e3)], ids=str)
@pytest.mark.parametrize("size", [(20, 20), *SIZES], ids=str)
def test_every_crop_has_a_pixel(size, ratio):
    for layer in (A.RandomResizedCrop(8, ratio=ratio), A.RandomResizedCrop(8, scale=(1e-6, 1e-6), ratio=ratio)):
        noise = layer.noise(torch.arange(40))
        box = layer.resolve(layer.params(noise), size)
        for start, extent, side in (("top", "height", size[0]), ("left", "width", size[1])):
            assert (box[extent] >= 1).all()
            assert (box[start] >= 0).all()
            assert (box[start] + box[extent] <= side).all()
        images = torch.randint(0, 256, (40, 3, *size), dtype=torch.uint8)
        boxes = torch.tensor([[[0.0, 0, size[1], size[0]]]]).expand(40, 1, 4)
        out = layer(A.Batch(images, boxes=boxes), noise)
        assert out.image.isfinite().all()
        assert torch.equal(out.boxes, torch.tensor([[[0.0, 0, 8, 8]]]).expand(40, 1, 4))


def test_the_largest_crop_within_narrow_ratios():
    """Of 400 x 300 pixels at most a fiftieth as wide as high: all rows, 400 / 50 columns."""
    layer = A.RandomResizedCrop(8, ratio=(0.01, 0.02))
    box = layer.resolve(layer.params(layer.noise(torch.arange(9)) * 0 + 0.999), (400, 300))
    assert set(box["height"].tolist()) == {400}
    assert set(box["width"].tolist()) == {8}


# ---------------------------------------------------------------------------------------------------------------- white


WHITE = {
    "smaller": lambda lib: (lib.Resize((17, 23)),),
    "much smaller": lambda lib: (lib.Resize((3, 2)),),
    "larger": lambda lib: (lib.Resize((91, 67)),),
    "not antialiased": lambda lib: (lib.Resize((17, 23), antialias=False),),
    "cropped": lambda lib: (lib.RandomResizedCrop((13, 9)),),
    "cropped and enlarged": lambda lib: (lib.RandomResizedCrop(77, (0.08, 0.3)), lib.RandomHorizontalFlip()),
    "turned": lambda lib: (lib.RandomRotation(40.0, padding_mode="border", p=1.0),),
    "turned and smaller": lambda lib: (lib.RandomAffine(40.0, (0.2, 0.2), (0.5, 2.0), p=1.0), lib.Resize((11, 14))),
    "white around": lambda lib: (lib.Pad(9, fill=1.0), lib.RandomRotation(60.0, p=1.0), lib.RandomResizedCrop(20)),
    "tilted": lambda lib: (lib.RandomPerspective(0.7, padding_mode="reflect", p=1.0), lib.Resize((12, 12))),
    "elastic": lambda lib: (lib.RandomElasticTransform((9, 9), (3.0, 3.0), p=1.0),),
    "fisheye": lambda lib: (lib.RandomFisheye(0.2, 0.1, 1.3, padding_mode="border", p=1.0),),
}


def brightest(name: str, images: torch.Tensor, lib: ModuleType = A, compile: bool = False) -> float:
    pipeline = lib.Pipeline(*WHITE[name](lib), compile=compile)
    out = pipeline(images, index=torch.arange(len(images)))
    assert float(out.max()) > 1 - 1e-5
    return float(out.max())


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", WHITE)
@pytest.mark.parametrize("size", [(53, 71), (40, 40), (160, 31)], ids=str)
def test_white_stays_in_range(name, size, dtype, in_torch):
    """By the kernels, by torch, and with a gradient."""
    white = torch.full((16, 3, *size), 255 if dtype == torch.uint8 else 1).to(dtype)
    for order in (torch.contiguous_format, torch.channels_last):
        given = white.contiguous(memory_format=order)
        assert brightest(name, given) <= 1
        assert in_torch(brightest, name, given) <= 1
    if dtype.is_floating_point:
        assert brightest(name, white.clone().requires_grad_()) <= 1


@pytest.mark.parametrize("name", ["smaller", "much smaller", "larger", "cropped", "turned and smaller"])
def test_white_packed_images_stay_in_range(name, in_torch):
    sizes = [(53, 71), (40, 40), (160, 31), (1, 1)]
    packed = A.PackedImages.from_images([torch.full((3, *size), 255, dtype=torch.uint8) for size in sizes])
    pipeline = A.Pipeline(*WHITE[name](A))
    noise = pipeline.noise(torch.arange(4))
    assert pipeline(packed, noise).max() <= 1
    assert in_torch(pipeline, packed, noise).max() <= 1


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32], ids=str)
@pytest.mark.parametrize("name", ["smaller", "cropped", "turned and smaller"])
def test_white_stays_in_range_in_compiled_code(name, dtype):
    white = torch.full((4, 3, 53, 71), 255 if dtype == torch.uint8 else 1).to(dtype)
    assert brightest(name, white, plain, compile=True) <= 1
    if dtype.is_floating_point and name == "cropped":  # torch's own operators, which are the same in the others
        assert brightest(name, white.requires_grad_(), plain, compile=True) <= 1


BEYOND = ("Normalize", "RandomGaussianNoise", "RandomShotNoise", "RandomSpeckleNoise", "Opaque")
"""Layers that are documented to leave [0, 1], or that may do anything."""


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", [name for name in LAYERS if name not in BEYOND])
def test_no_layer_makes_white_brighter(name, dtype, in_torch):
    layer = LAYERS[name](9) if name in ("CenterCrop", "RandomCrop") else make(name)
    for size in ((37, 41), (1, 1)):
        white = torch.full((4, 3, *size), 255 if dtype == torch.uint8 else 1).to(dtype)
        if name in ("CenterCrop", "RandomCrop") and size == (1, 1):
            continue
        noise = layer.noise(torch.arange(4))
        assert run(layer, white, noise).max() <= 1
        assert in_torch(run, layer, white, noise).max() <= 1


@pytest.mark.parametrize("value", [3.0, -2.0])
@pytest.mark.parametrize("name", WARPS)
def test_floats_beyond_the_range_are_not_cut(name, value, in_torch):
    layer = LAYERS[name](9) if name in ("CenterCrop", "RandomCrop") else make(name)
    images = torch.full((4, 3, 40, 40), value)
    noise = layer.noise(torch.arange(4))
    for out in (layer(images, noise), in_torch(layer, images, noise), layer(images.requires_grad_(), noise)):
        torch.testing.assert_close(out.abs().max(), torch.tensor(abs(value)), rtol=0, atol=1e-5)


def test_a_mean_of_white_keeps_its_gradient():
    """Each pixel of the output is a mean: the gradients of all together are as many as there are pixels."""
    image = torch.ones(2, 3, 41, 37, requires_grad=True)
    for layer in (A.Resize((9, 8)), A.Resize((90, 80)), A.RandomRotation(30.0, padding_mode="border", p=1.0)):
        out = layer(image, index=torch.arange(2))
        (gradient,) = torch.autograd.grad(out.sum(), image)
        torch.testing.assert_close(gradient.sum(), torch.tensor(float(out.numel())), rtol=1e-4, atol=0)


@pytest.mark.skipif(not library.AVAILABLE, reason="nothing compiled them when this was installed")
@pytest.mark.parametrize("straight", [True, False], ids=["straight", "turned"])
def test_means_are_at_most_the_largest_value(straight):
    """Any white, any radius: not more than 1, and not much less."""
    from augment.kernels.cpu import sampling

    x = torch.linspace(-2, 60, 211)[None, None].expand(40, 1, -1)
    y = torch.linspace(-1, 50, 40)[None, :, None].expand(40, -1, 1)
    x, y = (x, y) if straight else (x + 0 * y, y + 0 * x)
    radii = torch.linspace(1, 30, 80).view(40, 2)
    spans = torch.tensor([[0.0, 49, 3, 55]]).repeat(40, 1)
    out = sampling._sample(False, torch.ones(40, 3, 50, 60), None, None, 3, x, y, spans, radii)
    assert out.max() == 1
    assert out.min() > 1 - 2e-6
