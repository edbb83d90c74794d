"""The kernels for a CPU give what torch's own operators give, read nothing beyond the image, and step aside."""

import ctypes
import mmap
import shutil
import sysconfig

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import augment as A
from augment.data.memory import in_large_pages
from augment.geometry.interpolation import Footprint, Window
from augment.kernels.cpu import coloring, filtering, library, sampling
from augment.kernels.reference.filtering import BORDERS, border_index, separable_filter
from augment.kernels.reference.policy_step import policy_step
from augment.kernels.reference.sampling import sample
from augment.kernels.reference.warping import warp
from augment.kernels.source import extent
from augment.layers.policies.operators import SPACES

BATCH, SIZE, OUT = 5, (23, 31), (17, 75)  # more columns than are done at once
needs_kernels = pytest.mark.skipif(not library.AVAILABLE, reason="nothing compiled them when this was installed")


def test_they_are_there_where_a_compiler_is():
    compiler = sysconfig.get_config_var("CXX").split()[0]
    assert library.AVAILABLE or shutil.which(compiler) is None


def images(channels: int = 3, dtype: torch.dtype = torch.uint8, order: torch.memory_format = torch.channels_last):
    bytes = torch.randint(0, 256, (BATCH, channels, *SIZE), dtype=torch.uint8)
    return (bytes if dtype == torch.uint8 else bytes.to(dtype) / 255).contiguous(memory_format=order)


def positions(turned: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Beyond the image, too; of one sample whole numbers."""
    x = torch.linspace(-3, SIZE[1] + 2, OUT[1]).expand(BATCH, 1, -1) * torch.linspace(0.5, 1, BATCH)[:, None, None]
    y = torch.linspace(-2, SIZE[0] + 1, OUT[0])[:, None].expand(BATCH, -1, 1)
    return (x + y / 3, y - x / 4) if turned else (x, y + torch.zeros(BATCH, 1, 1))


WINDOW = Window((torch.tensor([0.0, 3, 0, 7, 0]), 22), (2, torch.tensor([30.0, 20, 30, 9, 30])))
RADII = (torch.tensor([1.0, 1.3, 2.7, 1.0, 1.5]), torch.tensor([1.0, 1.2, 1.0, 3.1, 1.5]))


@needs_kernels
@pytest.mark.parametrize("order", [torch.channels_last, torch.contiguous_format], ids=["interleaved", "planes"])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32], ids=str)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("turned", [False, True], ids=["straight", "turned"])
def test_sampling(turned, channels, dtype, order, in_torch):
    footprint = Footprint(RADII, (4.0, 4.0), separable=not turned)
    arguments = (images(channels, dtype, order), *positions(turned), WINDOW, "bilinear", footprint)
    assert sample.kernel_for(*arguments)
    torch.testing.assert_close(sample(*arguments), in_torch(sample, *arguments), rtol=0, atol=1e-5)


@needs_kernels
@pytest.mark.parametrize("order", [torch.channels_last, torch.contiguous_format], ids=["interleaved", "planes"])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32], ids=str)
@pytest.mark.parametrize("turned", [False, True], ids=["straight", "turned"])
def test_nearest_pixels(turned, dtype, order, in_torch):
    arguments = (images(3, dtype, order), *positions(turned), WINDOW, "nearest")
    assert sample.kernel_for(*arguments)
    assert torch.equal(sample(*arguments), in_torch(sample, *arguments))


VIEWS = {
    "expanded": lambda: torch.rand(1, 3, 1, 1).expand(BATCH, -1, *SIZE),
    "a column repeated": lambda: images(dtype=torch.float32)[..., :1].expand(-1, -1, -1, SIZE[1]),
    "every second": lambda: torch.rand(BATCH, 6, 2 * SIZE[0], 2 * SIZE[1])[:, ::2, ::2, ::2],
    "cut out": lambda: torch.rand(BATCH + 1, SIZE[0] + 4, SIZE[1] + 3, 4)[1:, 2:-2, 1:-2, :3].permute(0, 3, 1, 2),
    "transposed": lambda: torch.rand(BATCH, 3, SIZE[1], SIZE[0]).mT,
}


@needs_kernels
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("turned", [False, True], ids=["straight", "turned"])
def test_sampling_views_of_other_memory(turned, view, in_torch):
    image, (x, y) = VIEWS[view](), positions(turned)
    for interpolation in ("bilinear", "nearest"):
        arguments = (image, x, y, WINDOW, interpolation, Footprint(RADII, (4.0, 4.0), separable=not turned))
        assert sample.kernel_for(*arguments)
        torch.testing.assert_close(sample(*arguments), in_torch(sample, *arguments), rtol=0, atol=1e-5)


@needs_kernels
@pytest.mark.parametrize("turned", [False, True], ids=["straight", "turned"])
def test_sampling_gives_bytes_and_their_floats_the_same_bits_and_whole_positions_the_pixels(turned):
    bytes = images()
    x, y = torch.meshgrid(torch.arange(31.0), torch.arange(23.0), indexing="xy")
    x, y = (x[None], y[None]) if turned else (x[None, :1], y[None, :, :1])
    x, y = x.expand(BATCH, -1, -1), y.expand(BATCH, -1, -1)
    whole = sample(bytes, x, y, Window.whole(SIZE))
    assert torch.equal(whole, bytes.float() * (1 / 255))
    shifted = (x + 0.3, y - 0.4, Window.whole(SIZE))
    assert torch.equal(sample(bytes, *shifted), sample(bytes.float() * (1 / 255), *shifted))


@needs_kernels
def test_sampling_packed_images(in_torch):
    sizes = [(20, 31), (17, 23), (40, 12), (9, 9), (26, 30)]
    packed = A.PackedImages.from_images([torch.randint(0, 256, (3, *size), dtype=torch.uint8) for size in sizes])
    window = Window((0, packed.sizes[:, 0] - 1), (0, packed.sizes[:, 1] - 1))
    for turned in (False, True):
        arguments = (packed, *positions(turned), window, "bilinear", Footprint(RADII, (4.0, 4.0), not turned))
        torch.testing.assert_close(sample(*arguments), in_torch(sample, *arguments), rtol=0, atol=1e-5)


@needs_kernels
@pytest.mark.parametrize("turned", [False, True], ids=["straight", "turned"])
def test_positions_that_are_no_numbers_read_the_image(turned):
    x, y = positions(turned)
    x, y = x.clone(), y.clone()
    x[0, 0, ::2], y[1, ::2, 0], x[2, 0, 1::3], y[3, 1, 0] = torch.nan, torch.nan, torch.inf, -torch.inf
    for radii in (RADII, (1.0, 1.0)):
        out = sample(images(), x, y, Window.whole(SIZE), "bilinear", Footprint(radii, (4.0, 4.0), not turned))
        assert out.isfinite().all()
        assert (out >= 0).all()
        assert (out <= 1 + 1e-6).all()


@needs_kernels
@pytest.mark.parametrize("channels", [1, 3])
def test_sampling_reads_nothing_beyond_the_image(channels):
    """The image ends where a page that must not be touched begins: reading that would kill the process."""
    count = channels * SIZE[0] * SIZE[1]
    memory = mmap.mmap(-1, 4 * mmap.PAGESIZE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    protect = ctypes.CDLL(None).mprotect
    protect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    edge = 3 * mmap.PAGESIZE
    for dtype, size in ((torch.uint8, 1), (torch.float32, 4)):
        assert protect(start + edge, mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE) == 0
        flat = torch.frombuffer(memory, dtype=dtype, count=count, offset=edge - count * size)
        image = flat.view(1, *SIZE, channels).permute(0, 3, 1, 2)
        flat.copy_(torch.arange(count) % 200)
        assert protect(start + edge, mmap.PAGESIZE, 0) == 0
        x, y = torch.arange(SIZE[1] + 1.0)[None, None], torch.arange(SIZE[0] + 1.0)[None, :, None]
        for there in ((x, y), (x + 0 * y, y + 0 * x)):  # the last pixel among them
            for interpolation in ("bilinear", "nearest"):
                assert sample(image, *there, Window.whole(SIZE), interpolation).isfinite().all()


@needs_kernels
def test_they_step_aside():
    """For gradients, other types, and tensors without values."""
    x, y = positions(True)
    assert not sample.kernel_for(images(), x.requires_grad_(), y, WINDOW, "bilinear", Footprint(), None)
    with torch.no_grad():
        assert sample.kernel_for(images(), x, y, WINDOW, "bilinear", Footprint(), None)
    x = x.detach()
    doubles = (images(dtype=torch.float64), x.double(), y.double())
    assert not sample.kernel_for(*doubles, WINDOW, "bilinear", Footprint(), None)
    weights = torch.rand(1, 3)
    learned = torch.rand(1, 3, 4, 4, requires_grad=True)
    assert not separable_filter.kernel_for(learned, None, weights, weights, "reflect", torch.float32)
    assert extent(torch.empty(1, 1, 2**16, 2**15, device="meta")) >= 2**31  # more than they count to
    with FakeTensorMode():
        where = torch.empty(1, 1, 4), torch.empty(1, 4, 1)
        assert not sample.kernel_for(torch.empty(1, 3, 4, 4), *where, WINDOW, "bilinear", Footprint(), None)


NAMES = sorted(set().union(*SPACES.values()))


@needs_kernels
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [(23, 31), (2, 9), (1, 1)], ids=str)
def test_every_operator_of_policies(size, channels, in_torch):
    """To the level, for usual images, flat ones and such of two levels."""
    values = torch.tensor([0.05, 0.73, 1.0, 1.99, 3.0, 8.0, 110.0, 178.5, 255.0])
    op, value = torch.cartesian_prod(torch.arange(float(len(NAMES) + 1)), values).unbind(1)
    image = torch.randint(0, 256, (len(op), channels, *size), dtype=torch.uint8)
    image[::4] = image[::4] // 3 + 80
    image[1::7] = 200
    image[2::7] = (image[2::7] > 128) * 90 + 10
    arguments = (image, None, NAMES, op, value)
    out, expected = policy_step(*arguments), in_torch(policy_step, *arguments)
    assert torch.equal(out, expected)
    assert torch.equal(out[op == len(NAMES)], image[op == len(NAMES)])


@needs_kernels
def test_a_policy_moves_images(in_torch):
    slot_warp = A.TrivialAugmentWide().halves[0]
    slot_warp.fill = 0.5
    params = {"op": torch.arange(14.0), "level": torch.linspace(0, 1, 14), "sign": torch.tensor([1.0, -1.0] * 7)}
    image = torch.randint(0, 256, (14, 3, *SIZE), dtype=torch.uint8)

    def geometry(drawn, image):
        return [slot_warp.motion(SIZE, SIZE, drawn[0], torch.empty(len(image), 0))]

    arguments = (image, slot_warp.acts_on(params), [params], geometry, "nearest", True, torch.uint8)
    assert warp.kernel_for(*arguments)
    assert torch.equal(warp(*arguments), in_torch(warp, *arguments))


@needs_kernels
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("size", [(23, 31), (1, 5), (3, 1)], ids=str)
@pytest.mark.parametrize("taps", [(13, 5), (1, 9)], ids=str)
def test_separable_filters(border, size, taps, in_torch):
    image, (down, across) = torch.rand(4, 2, *size), (torch.rand(4, n) for n in taps)
    chosen = torch.tensor([True, False, True, False])
    expected = in_torch(separable_filter, image, None, down, across, border, torch.float32)
    out = separable_filter(image, None, down, across, border, torch.float32)
    torch.testing.assert_close(out, expected, rtol=1e-5, atol=1e-5)
    some = separable_filter(image, chosen, down, across, border, torch.float32)
    torch.testing.assert_close(some[chosen], expected[chosen], rtol=1e-5, atol=1e-5)
    assert torch.equal(some[~chosen], image[~chosen])


@needs_kernels
def test_operators_of_compiled_code_are_sound():
    x, y = positions(True)
    spans, radii = torch.tensor([[0.0, 22, 0, 30]]).expand(BATCH, 4), torch.ones(BATCH, 2)
    packed = A.PackedImages.from_images(list(images()))
    for nearest in (False, True):
        for pixels in ((images(), None, None, 3), (packed.data, packed.offsets, packed.sizes, 3)):
            torch.library.opcheck(sampling._sample.operator, (nearest, *pixels, x, y, spans, radii))
    index = (border_index(n, 1, 1, "constant", torch.device("cpu")) for n in SIZE)
    weights = torch.rand(BATCH, 3)
    chosen, planes = torch.ones(BATCH).bool(), list(images(dtype=torch.float32).unbind(1))
    torch.library.opcheck(filtering._filtered.operator, (planes, chosen, weights, weights, *index))
    torch.library.opcheck(coloring._adjusted.operator, (planes, chosen, weights, [0, 1, 3], False))


@pytest.mark.parametrize("name", ["imagenet", "randaugment", "three_augment"])
def test_recipes_without_them(name, in_torch, photos):
    pipeline = getattr(A.presets, name)(24)
    noise = pipeline.noise(torch.arange(8))
    out, expected = pipeline(photos, noise), in_torch(pipeline, photos, noise)
    # a value on a tie between two levels may go to the other one, and Equalize makes more of it
    assert ((out - expected).abs() > 0.02).float().mean() < 0.01


@pytest.mark.parametrize("size", [1, 1 << 16, 1 << 23])
def test_large_pages_are_a_hint(size):
    fresh = torch.empty(size, dtype=torch.uint8)
    assert in_large_pages(fresh) is fresh
    fresh.fill_(7)
    assert (fresh == 7).all()


@needs_kernels
def test_planes_in_an_order_of_their_own_are_copied():
    """Compiled code may hand kernels planes whose columns are neighbours, each in its own memory."""
    planes = list(images(dtype=torch.float32).unbind(1))
    turned = [plane.mT.contiguous().mT for plane in planes]
    every, weights = torch.ones(BATCH).bool(), torch.rand(BATCH, 3)
    index = [border_index(n, 1, 1, "reflect", torch.device("cpu")) for n in SIZE]
    assert torch.equal(
        filtering._filtered(turned, every, weights, weights, *index),
        filtering._filtered(planes, every, weights, weights, *index),
    )
    assert torch.equal(
        coloring._adjusted(turned, every, weights, [0, 1, 3], False),
        coloring._adjusted(planes, every, weights, [0, 1, 3], False),
    )
