"""The kernel that carries out a run of warps from its matrices gives what positions and torch's operators give."""

from dataclasses import replace
from types import ModuleType

import pytest
import torch
from torch import Tensor

import augment as A
from augment.data.batch import Batch
from augment.data.packed import PackedImages
from augment.engine.warp_run import apply_motions, motions_of
from augment.geometry.motion import Motion
from augment.kernels.cpu import library
from augment.kernels.cpu import warping as native
from augment.kernels.reference.warping import resample
from tests.unchecked import import_unchecked

plain = import_unchecked("augment")

pytestmark = pytest.mark.skipif(not library.AVAILABLE, reason="nothing compiled the kernels when this was installed")

COUNT = 12
SIZES = [(1, 1), (1, 9), (70, 1), (23, 31), (40, 150)]  # more columns than are done at once


def runs(a: ModuleType) -> dict[str, tuple[A.Layer, ...]]:
    full = a.RandomAffine(40, (0.4, 0.4), (0.6, 1.5), 15.0, fill_value=0.7, p=1.0)
    turn = a.RandomRotation(30.0, p=1.0)
    return {
        "rotation": (a.RandomRotation(180.0, p=1.0),),
        "affine": (full,),
        "perspective": (a.RandomPerspective(0.8, p=1.0),),
        "frames one after another": (
            a.RandomAffine(15, (0.5, 0.5), fill_value=0.2, p=1.0),
            a.RandomHorizontalFlip(),
            turn,
            a.RandomAffine(0, (0.6, 0.6), fill_value=0.9, p=1.0),
            a.RandomShear(20.0, p=1.0),
        ),
        "perspective among them": (full, a.RandomPerspective(0.9, "area_preserving", p=1.0), turn),
        "a frame of no image": (a.RandomTranslate((1.0, 1.0), (1.0, 1.0), p=1.0), full),
        "to another size": (turn, a.Pad((3, 5, 70, 2), fill=0.4), full, a.Resize((37, 90))),
        "shrunk": (full, a.Resize((9, 13)), turn),
        "some of them": (a.RandomRotation(30.0, p=0.4), a.RandomAffine(10, (0.3, 0.3), fill_value=0.5, p=0.4)),
    }


RUNS = runs(A)
(FULL,) = RUNS["affine"]


def images(size: tuple[int, int], channels: int = 3, dtype: torch.dtype = torch.uint8) -> Tensor:
    """Interleaved."""
    bytes = torch.randint(0, 256, (COUNT, channels, *size), dtype=torch.uint8)
    return (bytes if dtype == torch.uint8 else bytes.to(dtype) / 255).contiguous(memory_format=torch.channels_last)


def warped(image: Tensor | PackedImages, layers: tuple[A.Layer, ...]) -> Tensor:
    """By `warp`, all samples at once."""
    batch = Batch(image)
    out = apply_motions(batch, motions(batch, layers)).image
    return torch.stack(out, dim=1) if isinstance(out, tuple) else out


def motions(batch: Batch, layers: tuple[A.Layer, ...]) -> list[Motion]:
    params = [layer.params(layer.noise(torch.arange(len(batch)), epoch=i)) for i, layer in enumerate(layers)]
    return motions_of(list(layers), params, batch.image)


def assert_alike(out: Tensor, expected: Tensor, tolerance: float = 2e-4) -> None:
    """Positions differ by rounding only, so that values do; steep perspective makes more of it."""
    assert out.shape == expected.shape
    apart = (out - expected).abs()
    assert apart.mean() < tolerance / 20
    assert (apart > tolerance).float().mean() < 1e-3


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("run", RUNS)
def test_runs(run, size, in_torch):
    image = images(size)
    assert resample.kernel_for(image, motions(Batch(image), RUNS[run]), "bilinear", torch.float32)
    assert_alike(warped(image, RUNS[run]), in_torch(warped, image, RUNS[run]))


@pytest.mark.parametrize("order", [torch.channels_last, torch.contiguous_format], ids=["interleaved", "planes"])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float16], ids=str)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_of_all_kinds(channels, dtype, order, in_torch):
    image = images((23, 31), channels, dtype).contiguous(memory_format=order)
    for run in ("frames one after another", "shrunk"):
        assert_alike(warped(image, RUNS[run]), in_torch(warped, image, RUNS[run]))
    planes = tuple(image.unbind(1))
    assert torch.equal(warped(planes, (FULL,)), warped(image, (FULL,)))


def test_packed_images(in_torch):
    sizes = [(20, 31), (17, 23), (40, 12), (9, 9), (26, 70), (1, 1)] * 2
    packed = A.PackedImages.from_images([torch.randint(0, 256, (3, *size), dtype=torch.uint8) for size in sizes])
    layers = (FULL, A.RandomRotation(20.0, p=1.0), A.Resize((25, 80)), A.RandomAffine(9, fill_value=0.3, p=1.0))
    assert resample.kernel_for(packed, motions(Batch(packed), layers), "bilinear", torch.float32)
    assert_alike(warped(packed, layers), in_torch(warped, packed, layers))
    for b, size in enumerate(sizes):
        dense = packed.data[packed.offsets[b] :][: 3 * size[0] * size[1]].view(1, *size, 3).permute(0, 3, 1, 2)
        some = [replace(motion, matrix=motion.matrix[b : b + 1]) for motion in motions(Batch(packed), layers)]
        frames = [size, size, size, (25, 80), (25, 80)]
        some = [replace(s, in_size=n, out_size=m) for s, n, m in zip(some, frames, frames[1:], strict=False)]
        some = [replace(s, shrink=tuple(float(v[b]) if isinstance(v, Tensor) else v for v in s.shrink)) for s in some]
        assert_alike(apply_motions(Batch(dense), some).image[0], warped(packed, layers)[b], 1e-5)


def test_samples_that_nothing_moves_are_exact():
    image = images((23, 130))
    run = (FULL, A.RandomHorizontalFlip(), A.RandomPerspective(0.5), A.RandomAffine(9, (0.3, 0.3), fill_value=0.5))
    moving = motions(Batch(image), run)
    still = torch.arange(COUNT) % 3 == 0
    whole = torch.eye(3).expand(COUNT, 3, 3)
    gated = [replace(s, matrix=torch.where(still[:, None, None], whole, s.matrix)) for s in moving]
    out = apply_motions(Batch(image), gated).image
    assert torch.equal(out[still], image[still] * torch.tensor(1 / 255))
    assert torch.equal(out[~still], apply_motions(Batch(image), moving).image[~still])


def test_neither_threads_nor_other_samples_change_a_bit():
    image = images((100, 150))
    every = motions(Batch(image), RUNS["perspective among them"])
    threads = torch.get_num_threads()
    try:
        results = [torch.set_num_threads(n) or apply_motions(Batch(image), every).image for n in (1, 2, 3)]
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])
    for rows in (slice(5, 6), slice(3, 10)):
        some = [replace(motion, matrix=motion.matrix[rows]) for motion in every]
        assert torch.equal(apply_motions(Batch(image[rows]), some).image, results[0][rows])


def test_nothing_to_warp():
    assert warped(images((8, 9))[:0], RUNS["frames one after another"]).shape == (0, 3, 8, 9)


def matrices(*rows: tuple[float, ...]) -> Tensor:
    return torch.tensor(rows).view(1, 3, 3)


@pytest.mark.parametrize("fill", [0.0, 0.6])
def test_a_horizon_within_the_image(fill, in_torch):
    """Where w passes through 0 the ends of a row say nothing about what is between them."""
    image = torch.rand(1, 3, 40, 64)
    for c in (-0.11, -0.0312, 0.5):
        matrix = matrices((1.0, 0.2, 3.0), (0.1, 1.0, -5.0), (c, 0.013, 1.0))
        run = [Motion(matrix, (40, 64), (40, 64), "zeros", fill, projective=True)]
        out, expected = apply_motions(Batch(image), run).image, in_torch(apply_motions, Batch(image), run).image
        assert_alike(out, torch.stack(expected, dim=1), 1e-3)


def test_positions_that_are_no_numbers_show_the_fill_value():
    for lost in (torch.nan, torch.inf):
        run = [Motion(torch.full((1, 3, 3), lost), (8, 9), (8, 9), "zeros", 0.25)]
        out = apply_motions(Batch(torch.rand(1, 3, 8, 9)), run).image
        assert torch.equal(out, torch.full_like(out, 0.25))


def test_masks_take_the_same_way(in_torch):
    image = images((23, 31))
    batch = Batch(image, mask=(image[:, 0] > 99).int())
    run = motions(batch, RUNS["frames one after another"])
    out, expected = apply_motions(batch, run), in_torch(apply_motions, batch, run)
    assert_alike(out.image, torch.stack(expected.image, dim=1))
    assert torch.equal(out.mask, expected.mask)


@pytest.mark.parametrize("run", ["frames one after another", "perspective among them", "shrunk", "some of them"])
def test_compiled_code_calls_it(run):
    layers = runs(plain)[run]
    eager, compiled = (plain.Pipeline(*layers, compile=choice) for choice in (False, True))
    noise = eager.noise(torch.arange(COUNT))
    image = images((23, 80))
    for some in (slice(None), slice(3), slice(1)):
        assert_alike(compiled(image[some], noise[some]), eager(image[some], noise[some]))


def test_its_operator_is_sound():
    image, packed = images((8, 9)), A.PackedImages.from_images(list(images((8, 9))))
    run = motions(Batch(image), (FULL, A.RandomRotation(9.0, p=1.0)))
    every = torch.stack([motion.matrix for motion in run], dim=1)
    sizes, spans = torch.tensor([[8.0, 9, 8, 9]] * COUNT), torch.tensor([[0.0, 7, 0, 8]] * COUNT)
    for pixels in ((image, None, None, 3), (packed.data, packed.offsets, packed.sizes, 3)):
        arguments = (*pixels, every, sizes, [0.5, 0.1, 0.9, *[-1.0] * 3], spans, torch.ones(COUNT, 2), 8, 9)
        torch.library.opcheck(native._warp.operator, arguments)


def test_it_motions_aside():
    """For gradients, other types and filters, maps that are no matrices, mirrored borders, and rows that stay rows."""
    image = images((23, 31), dtype=torch.float32)
    run = motions(Batch(image), (FULL,))
    assert resample.kernel_for(image, run, "bilinear", torch.float32)
    assert not resample.kernel_for(image, run, "bicubic", torch.float32)
    assert not resample.kernel_for(image.double(), motions(Batch(image.double()), (FULL,)), "bilinear", torch.float32)
    for layer in (A.RandomElasticTransform(), A.RandomRotation(9, padding_mode="border"), A.RandomTranslate(0.1, 0.1)):
        assert not resample.kernel_for(image, motions(Batch(image), (layer,)), "bilinear", torch.float32)
    learned = [replace(motion, matrix=motion.matrix.clone().requires_grad_()) for motion in run]
    assert not resample.kernel_for(image, learned, "bilinear", torch.float32)
    assert not resample.kernel_for(image.requires_grad_(), run, "bilinear", torch.float32)
    with torch.no_grad():
        assert resample.kernel_for(image, learned, "bilinear", torch.float32)
