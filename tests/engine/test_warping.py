"""Runs of warps: folding changes nothing but the blur, borders are right, annotations follow the image."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import augment as A
from augment.data.operator import Backend, Kernel
from augment.geometry.motion import project
from augment.geometry.reach import footprint_of
from augment.kernels.reference.warping import resample, warp


def smooth(batch: int = 6, size: tuple[int, int] = (40, 48)) -> torch.Tensor:
    """Low frequencies, for which sampling twice and sampling once agree closely."""
    y, x = torch.meshgrid(torch.linspace(0, 3, size[0]), torch.linspace(0, 3, size[1]), indexing="ij")
    phase = torch.arange(batch)[:, None, None, None] * 0.9
    return 0.5 + 0.3 * torch.sin(torch.stack([x + y, x - 0.5 * y, 0.3 * x * y]) + phase)


def noise_for(*layers: A.Layer, batch: int = 6) -> list[torch.Tensor]:
    return [layer.noise(torch.arange(batch), epoch=i) for i, layer in enumerate(layers)]


RUNS = {
    "crop, flip, affine": (
        A.RandomResizedCrop((32, 36), scale=(0.5, 1.0)),
        A.RandomHorizontalFlip(),
        A.RandomAffine(20, (0.1, 0.1), (0.8, 1.2), 5.0, p=1.0),
    ),
    "rotation, then crop": (A.RandomRotation(30, p=1.0), A.RandomCrop((30, 30))),
    "perspective, quarter turn": (A.RandomPerspective(0.3, p=1.0), A.RandomRotation90((0, 3), p=1.0)),
    "reflected border": (
        A.CenterCrop((30, 30)),
        A.RandomRotation(40, padding_mode="reflection", p=1.0),
        A.RandomVerticalFlip(),
    ),
    "padded crop, resize": (A.RandomCrop((40, 40), padding=6), A.Resize((33, 35))),
    "filled outside, nearest border": (
        A.RandomAffine(10, (0.2, 0.2), fill_value=0.3, p=1.0),
        A.RandomRotation(20, padding_mode="border", p=1.0),
    ),
    "each for some samples": (
        A.RandomRotation((15, 30), padding_mode="border", p=0.5),
        A.RandomTranslate(0.3, 0.3, padding_mode="border", p=0.5),
    ),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_is_the_same_as_one_after_another(name):
    layers, images = RUNS[name], smooth()
    noises = noise_for(*layers)
    folded = A.Pipeline(*layers)(images, torch.cat(noises, dim=1))
    stepwise = images
    for layer, noise in zip(layers, noises, strict=True):
        stepwise = layer(stepwise, noise)
    difference = (folded - stepwise).abs()
    assert difference.mean() < 4e-3
    assert difference.flatten(1).quantile(0.98, dim=1).max() < 0.07, "more than the blur along a border differs"


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "symmetric"])
@pytest.mark.parametrize("size", [(12, 9), (40, 44)], ids=str)
def test_a_crop_by_whole_pixels_adds_no_blur_to_a_run(mode, size):
    """Folded and one after another are the same to the rounding, borders included."""
    layers = A.RandomRotation((25, 35), p=1.0), A.RandomCrop(size, padding=6, padding_mode=mode)
    noises = noise_for(*layers)
    images = smooth(size=(30, 34))
    folded = A.Pipeline(*layers)(images, torch.cat(noises, dim=1))
    torch.testing.assert_close(folded, layers[1](layers[0](images, noises[0]), noises[1]), rtol=0, atol=1e-4)


def test_nothing_bleeds_into_a_crop_of_a_flipped_image():
    layers = A.RandomHorizontalFlip(p=0.5), A.RandomVerticalFlip(p=0.5), A.RandomCrop((11, 14)), A.Resize((30, 30))
    noises, images = noise_for(*layers), torch.rand(6, 3, 28, 32)
    stepwise = A.Pipeline(*layers[:3])(images, torch.cat(noises[:3], dim=1))
    folded = A.Pipeline(*layers)(images, torch.cat(noises, dim=1))
    torch.testing.assert_close(folded, layers[3](stepwise), rtol=0, atol=1e-5)


def test_the_footprint_is_the_minification_at_the_centre():
    layers, size = (A.RandomPerspective((0.6, 0.9), p=1.0), A.Resize((9, 8))), (40, 48)
    noise = noise_for(layers[0])[0].double()
    like = torch.empty(6, 0, dtype=torch.float64)
    motions = [layer.motion(size, size, layer.params(noise[:, : layer.draws]), like) for layer in layers]
    centre = [torch.full((6, 1, 1), (n - 1) / 2, dtype=torch.float64, requires_grad=True) for n in (8, 9)]
    position = project(motions, *centre)
    for axis in (0, 1):
        gradient = torch.autograd.grad(position[1 - axis].sum(), centre, retain_graph=True)
        length = torch.hypot(*(g[:, 0, 0] for g in gradient)).clamp(1, 6)
        torch.testing.assert_close(footprint_of(motions).radius[axis], length)


def test_antialiasing_counts_the_whole_run():
    """Twice up and four times down is twice down."""
    images = torch.rand(2, 3, 40, 40)
    run = A.Pipeline(A.Resize((80, 80)), A.RandomHorizontalFlip(p=0.0), A.Resize((20, 20)))
    torch.testing.assert_close(run(images), A.Resize((20, 20))(images), rtol=0, atol=1e-5)


def test_lattice_runs_are_exact_and_keep_bytes():
    images = torch.randint(0, 256, (6, 3, 20, 20), dtype=torch.uint8)
    layers = A.RandomHorizontalFlip(), A.RandomRotation90((0, 3)), A.RandomCrop(18, padding=3), A.RandomVerticalFlip()
    noises = noise_for(*layers)
    out = A.Pipeline(*layers, dtype=torch.uint8)(images, torch.cat(noises, 1))
    for layer, noise in zip(layers, noises, strict=True):
        images = A.Pipeline(layer, dtype=torch.uint8)(images, noise)
    assert torch.equal(out, images)


@pytest.mark.parametrize("mode", ["zeros", "border", "reflection"])
def test_padding_modes_are_those_of_grid_sample(mode):
    images = torch.rand(4, 3, 17, 21, dtype=torch.float64)
    layer = A.RandomAffine(50, (0.6, 0.6), (0.5, 0.9), padding_mode=mode, p=1.0)
    noise = layer.noise(torch.arange(4)).double()
    motion = layer.motion((17, 21), (17, 21), layer.params(noise), noise)
    y, x = torch.meshgrid(torch.arange(17.0), torch.arange(21.0), indexing="ij")
    pixels = torch.stack([x, y, torch.ones_like(x)], -1).double().reshape(-1, 3)
    position = (pixels @ motion.matrix.mT)[..., :2].unflatten(1, (17, 21))
    grid = (2 * position + 1) / torch.tensor([21.0, 17.0]) - 1
    expected = F.grid_sample(images, grid, padding_mode=mode, align_corners=False)
    torch.testing.assert_close(layer(images, noise), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("ours", "torchs"), [("constant", "constant"), ("reflect", "reflect"), ("edge", "replicate")])
def test_crop_padding_modes_are_those_of_pad(ours, torchs):
    images = torch.rand(6, 3, 12, 10)
    layer = A.RandomCrop((12, 14), padding=(4, 3, 2, 1), padding_mode=ours)
    noise = layer.noise(torch.arange(6))
    at = layer.resolve(layer.params(noise), (12, 10))
    padded = F.pad(images, (4, 2, 3, 1), mode=torchs)
    tops, lefts = (at["top"] + 3).int().tolist(), (at["left"] + 4).int().tolist()
    expected = [p[:, t : t + 12, s : s + 14] for p, t, s in zip(padded, tops, lefts, strict=True)]
    assert torch.equal(layer(images, noise), torch.stack(expected))


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "symmetric"])
def test_crops_smaller_than_the_padding(mode):
    """Much of what they show, or all of it, lies outside of the image."""
    images = torch.rand(60, 1, 8, 9)
    layer = A.RandomCrop((2, 5), padding=5, padding_mode=mode)
    noise = layer.noise(torch.arange(60))
    out = layer(A.Batch(images, mask=(images[:, 0] * 255).round().int()), noise)
    at = layer.resolve(layer.params(noise), (8, 9))
    pad = [(0, 0), (0, 0), (5, 5), (5, 5)]
    padded = torch.from_numpy(np.pad(images.numpy(), pad, mode=mode))
    tops, lefts = (at["top"] + 5).int().tolist(), (at["left"] + 5).int().tolist()
    expected = torch.stack([p[:, t : t + 2, s : s + 5] for p, t, s in zip(padded, tops, lefts, strict=True)])
    assert torch.equal(out.image, expected)
    assert torch.equal(out.mask, (expected[:, 0] * 255).round().int())


@pytest.mark.parametrize("draw", [0.0, 1 - 2**-24])
@pytest.mark.parametrize(
    "layer",
    [A.RandomCrop((7, 9)), A.RandomResizedCrop(8), A.RandomErasing(), A.RandomCutMix(), A.ResizeMix()],
    ids=lambda layer: type(layer).__name__,
)
def test_every_place_is_drawn(layer, draw):
    """From the top left corner to the bottom right, both included."""
    drawn = layer.params(layer.noise(torch.arange(20)))
    at = layer.resolve(drawn | dict.fromkeys(("top", "left"), torch.full((20,), draw)), (31, 40))
    for start, extent, crop, full in (("top", "height", 7, 31), ("left", "width", 9, 40)):
        end = full - at.get(extent, torch.full((20,), crop))
        assert torch.equal(at[start], end * round(draw))


def test_padding_if_needed():
    layer = A.RandomCrop((12, 14), pad_if_needed=True, fill=0.25)
    out = layer(torch.ones(50, 1, 9, 20))
    assert out.shape == (50, 1, 12, 14)
    assert set(out.unique().tolist()) == {0.25, 1.0}


CHECKERBOARD = ((torch.arange(256)[:, None] + torch.arange(256)) % 2).float().expand(4, 3, 256, 256)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_shrinking_leaves_no_aliases(interpolation):
    """Checkerboard 256 -> 64: Pillow leaves a standard deviation of 9e-5, no antialiasing 0.17."""
    for layer in (
        A.Resize((64, 64), resample=interpolation),
        A.RandomResizedCrop(64, scale=(1.0, 1.0), ratio=(1.0, 1.0), resample=interpolation),
        A.Pipeline(A.Resize((64, 64), resample=interpolation), A.RandomHorizontalFlip()),
    ):
        assert layer(CHECKERBOARD).std() < 1e-3
    crop = A.RandomResizedCrop(32, scale=(0.3, 1.0), resample=interpolation)
    assert crop(CHECKERBOARD)[:, :, 4:-4, 4:-4].std() < 0.02
    turned = A.Pipeline(A.RandomRotation(45.0, padding_mode="reflection", p=1.0), A.Resize((64, 64)))
    assert turned(CHECKERBOARD).std() < 0.03
    assert A.Resize((64, 64), antialias=False)(CHECKERBOARD[..., 1:, 1:]).std() > 0.1


def test_random_resized_crop_draws_like_torchvision():
    """Areas and ratios of 4000 crops have torchvision's distribution (two-sample Kolmogorov-Smirnov, 1.63 = 1 %)."""
    from scipy.stats import ks_2samp
    from torchvision.transforms.v2 import RandomResizedCrop

    layer, size, count = A.RandomResizedCrop(8), (60, 90), 4000
    box = layer.resolve(layer.params(layer.noise(torch.arange(count))), size)
    torch.manual_seed(0)
    theirs = RandomResizedCrop(8)
    drawn = [theirs.make_params([torch.empty(3, *size)]) for _ in range(count)]
    for name in ("top", "left", "height", "width"):
        statistic = ks_2samp(box[name].numpy(), [d[name] for d in drawn]).statistic
        assert statistic < 1.63 * (2 / count) ** 0.5, name


@pytest.mark.parametrize("size", [(60, 90), (10, 100), (100, 10), (1, 1)])
def test_random_resized_crop_stays_inside(size):
    layer = A.RandomResizedCrop(8, scale=(0.5, 1.0))
    box = layer.resolve(layer.params(layer.noise(torch.arange(2000))), size)
    assert (box["top"] >= 0).all()
    assert (box["left"] >= 0).all()
    assert (box["height"] >= 1).all()
    assert (box["width"] >= 1).all()
    assert (box["top"] + box["height"] <= size[0]).all()
    assert (box["left"] + box["width"] <= size[1]).all()


def test_samples_left_out_by_a_crop_are_cropped_at_the_centre_or_resized():
    images = smooth()
    assert torch.equal(A.RandomCrop((20, 30), p=0.0)(images), images[:, :, 10:30, 9:39])
    torch.testing.assert_close(A.RandomResizedCrop((20, 24), p=0.0)(images), A.Resize((20, 24))(images))


# ---------------------------------------------------------------------------------------------------------- samplers


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("shrink", [1.0, 1.3, 2.7])
@pytest.mark.parametrize("separable", [True, False])
def test_all_samplers_agree(interpolation, shrink, separable):
    """Whatever the execution chooses, the definition is one."""
    from augment.geometry import interpolation as weights
    from augment.kernels.reference import grid_sampling as dense_samplers
    from augment.kernels.reference import sampling as resample

    image = torch.rand(2, 3, 31, 29, dtype=torch.float64)
    x = torch.linspace(-0.5, 28.5, 11, dtype=torch.float64)[None, None, :].expand(2, 1, -1)
    y = torch.linspace(-0.5, 30.5, 13, dtype=torch.float64)[None, :, None].expand(2, -1, 1)
    if not separable:
        x, y = x + 0.1 * y - 1, y - 0.1 * x + 1
    window = weights.Window((0, 30), (torch.tensor([0.0, 4.0]), torch.tensor([28.0, 25.0])))
    radius = torch.tensor([1.0, shrink], dtype=torch.float64)
    footprint = weights.Footprint((radius, radius), (shrink, shrink), separable)
    kernel = weights.KERNELS[interpolation]
    taps = -int(-2 * kernel.support * shrink // 1)
    rows = weights.taps_of(y, window.rows, radius, taps, kernel)
    columns = weights.taps_of(x, window.columns, radius, taps, kernel)
    results = {
        "chosen": resample.sample(image, x, y, window, interpolation, footprint),
        "gathered": resample._gather(image, rows, columns),
        "looped": resample._looped(image, rows, columns),
    }
    if separable and taps > 2:
        results["products"] = dense_samplers._matrix_products(image, x, y, window, footprint, kernel)
    if interpolation == "bilinear":
        results["grid"] = dense_samplers.grid_samples(image, x, y, window, footprint, None)
    stacked = [torch.stack(r, 1) if isinstance(r, tuple) else r for r in results.values()]
    for a, b in itertools.combinations(stacked, 2):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("layers", "dtype", "wanted"),
    [
        ([], None, torch.float32),
        ([], torch.bfloat16, torch.float16),
        ([A.ColorJitter(0.4)], torch.float16, torch.float16),
        ([A.RandAugment(1, operators=("Posterize",))], torch.bfloat16, torch.uint8),
        ([A.RandomGrayscale(), A.RandAugment(1, operators=("Posterize",))], None, torch.float32),
        ([A.AutoAugment()], None, torch.float32),
    ],
    ids=["float32", "bfloat16", "a chain", "a policy on bytes", "a policy later", "a policy for some"],
)
def test_kernels_of_a_gpu_are_asked_for_what_the_next_layer_wants(monkeypatch, layers, dtype, wanted):
    asked = []

    def warped(image, motions, interpolation, dtype):
        asked.append(dtype)
        if interpolation == "nearest":
            return image
        return torch.full((2, 3, 8, 8), 100 if dtype == torch.uint8 else 100 / 255).to(dtype)

    anywhere = Backend("anywhere", ready=lambda device: True, takes=lambda tensors: True)
    kernel = Kernel(anywhere, warped, serves=lambda *given: True, tolerance=0.0, reason="Writes down what it is asked.")
    monkeypatch.setattr(resample, "kernels", (kernel,))
    monkeypatch.setattr(warp, "kernels", ())
    pipeline = A.Pipeline(A.RandomResizedCrop(8), *layers, dtype=dtype)
    out = pipeline(torch.zeros(2, 3, 9, 9, dtype=torch.uint8))
    assert out.dtype == (dtype or torch.float32)
    assert asked[0] == wanted
