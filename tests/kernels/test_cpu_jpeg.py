"""The JPEG kernel for a CPU gives what torch's own operators give, in eager mode and compiled, and steps aside."""

import pytest
import torch
from torch import Tensor

from augment.kernels.cpu import jpeg as native
from augment.kernels.cpu import library
from augment.kernels.reference.jpeg import jpeg
from augment.layers.filtering.jpeg import quantization
from tests.unchecked import import_unchecked

plain = import_unchecked("augment")

pytestmark = pytest.mark.skipif(not library.AVAILABLE, reason="nothing compiled the kernels when this was installed")

QUALITY = torch.arange(1.0, 101)
SIZES = [(1, 1), (1, 20), (7, 9), (17, 33), (48, 32)]
ORDERS = pytest.mark.parametrize("order", [torch.channels_last, torch.contiguous_format], ids=["interleaved", "planes"])


def coded(image: Tensor, quality: Tensor = QUALITY) -> Tensor:
    return jpeg(image, None, quantization(quality.to(image.dtype)))


def images(*shape: int, low: float = 0, high: float = 1) -> Tensor:
    """Bytes as floats, an image for each quality; of bytes many coefficients are ties."""
    values = torch.rand(len(QUALITY), *shape, generator=torch.Generator().manual_seed(0)) * (high - low) + low
    return (values * 255).round() / 255


def assert_alike(out: Tensor, expected: Tensor) -> None:
    """All but two images in a hundred are the same up to rounding.

    About one coefficient in a million lies so close to the middle between two levels that the order of a sum decides,
    and with it its whole block.
    """
    apart = (out - expected).abs().flatten(1).amax(1) > 1e-5
    assert apart.float().mean() <= 0.02
    assert (out - expected).abs().mean() < 1e-4


@ORDERS
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_quality(size, channels, order, in_torch):
    image = images(channels, *size).contiguous(memory_format=order)
    assert jpeg.kernel_for(image, None, quantization(QUALITY))
    out = coded(image)
    assert_alike(out, in_torch(coded, image))
    assert torch.equal(out[:, 3:], image[:, 3:])
    if channels > 1 and size != (1, 1):
        assert out.is_contiguous(memory_format=order)


def test_smooth_images_and_gray_ones(in_torch):
    """Most coefficients are 0, and so are the colour differences."""
    y, x = torch.meshgrid(torch.linspace(0, 4, 40), torch.linspace(0, 5, 40), indexing="ij")
    smooth = torch.stack([torch.sin(x + y), torch.cos(x - y), torch.sin(x * y)]).expand(100, -1, -1, -1) * 0.4 + 0.5
    for image in (smooth, smooth[:, :1].expand(-1, 3, -1, -1), torch.full((100, 3, 16, 16), 0.5)):
        assert_alike(coded(image), in_torch(coded, image))


VIEWS = {
    "without alpha": lambda: images(17, 33, 4).permute(0, 3, 1, 2)[:, :3],
    "cut out": lambda: images(4, 30, 40)[:, 1:, 3:20, 2:35],
    "every second": lambda: images(6, 34, 66)[:, ::2, ::2, ::2],
    "expanded": lambda: images(1, 17, 33)[:1].expand(100, 3, -1, -1),
    "transposed": lambda: images(3, 33, 17).mT,
}


@pytest.mark.parametrize("view", VIEWS)
def test_views_of_other_memory(view, in_torch):
    image = VIEWS[view]()
    assert_alike(coded(image), in_torch(coded, image))


@pytest.mark.parametrize("channels", [1, 3])
def test_values_out_of_range(channels, in_torch):
    image = images(channels, 17, 33, low=-1, high=2)
    image[::3, 0, 3, 5], image[1::3, 0, 16, 32] = torch.inf, -torch.inf
    assert_alike(coded(image), in_torch(coded, image))


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_no_number_spoils_what_it_does_in_torch(channels, in_torch):
    image = images(channels, 40, 50)
    image[::2, -1, 20, 21], image[1::2, 0, 39, 49] = torch.nan, torch.nan
    out, expected = coded(image), in_torch(coded, image)
    assert torch.equal(out.isnan(), expected.isnan())
    assert_alike(out.nan_to_num(), expected.nan_to_num())


@pytest.mark.parametrize("shape", [(0, 3, 8, 8), (2, 0, 8, 8)], ids=str)
def test_nothing_to_code(shape):
    assert coded(torch.rand(shape), QUALITY[: shape[0]]).shape == shape


def test_one_quality_for_all():
    image = images(3, 17, 33)[:5]
    table = quantization(QUALITY[49:50])
    assert torch.equal(jpeg(image, None, table.expand(5, 2, 8, 8)), coded(image, QUALITY[49:50].expand(5)))


@ORDERS
def test_compiled_code_calls_it_and_leaves_alone_what_is_not_chosen(order):
    image = (images(3, 23, 31)[:16] * 255).to(torch.uint8).contiguous(memory_format=order)
    layers = plain.RandomJPEG((1.0, 100.0), p=0.5), plain.RandomInvert(p=0.5)
    eager, compiled = (plain.Pipeline(*layers, compile=choice) for choice in (False, True))
    noise = eager.noise(torch.arange(16))
    for some in (slice(None), slice(3), slice(1)):
        assert torch.equal(compiled(image[some], noise[some]), eager(image[some], noise[some]))


def test_only_chosen_images_change():
    image, chosen = images(3, 17, 33), torch.arange(100) % 3 == 0
    for some in (image, image.contiguous(memory_format=torch.channels_last)):
        out = jpeg(some, chosen, quantization(QUALITY))
        assert torch.equal(out, torch.where(chosen[:, None, None, None], coded(image), image))


def test_its_operator_is_sound():
    image, chosen, tables = images(3, 7, 9)[:2], torch.tensor([True, False]), quantization(QUALITY[:2])
    for interleaved in (False, True):
        torch.library.opcheck(native._coded.operator, (image, chosen, tables, interleaved))


def test_it_steps_aside():
    """For other types, and where somebody asks for a gradient."""
    image, tables = torch.rand(1, 3, 8, 8), quantization(QUALITY[:1])
    assert not jpeg.kernel_for(image.double(), None, tables.double())
    assert not jpeg.kernel_for(image, None, tables.clone().requires_grad_())
    image.requires_grad_()
    assert not jpeg.kernel_for(image, None, tables)
    with torch.no_grad():
        assert jpeg.kernel_for(image, None, tables)
    coded(image, QUALITY[-1:]).sum().backward()
    assert image.grad.abs().sum() > 0
