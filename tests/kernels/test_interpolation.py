"""Resizing is torch's: which pixel is copied, which bicubic kernel is taken, and bytes stay in their range."""

import kornia.augmentation as K
import pytest
import torch
import torch.nn.functional as F

import augment as A
from augment.data.batch import Batch
from augment.data.packed import PackedImages
from tests.unchecked import import_unchecked

unchecked = import_unchecked("augment")  # the compiler cannot look through run-time type checks
v2 = pytest.importorskip("torchvision.transforms.v2")
MODES = {"nearest": v2.InterpolationMode.NEAREST, "nearest-exact": v2.InterpolationMode.NEAREST_EXACT}
ROW = torch.arange(8.0).expand(1, 1, 8, 8) / 255
CONVERTERS = {
    "torchvision": lambda size, mode: A.from_torchvision(v2.Resize(size, interpolation=MODES[mode]), strict=True),
    "Kornia": lambda size, mode: A.from_kornia(K.Resize(size, resample=mode), strict=True),
    "ours": lambda size, mode: A.Resize(size, resample=mode),
}
COPIED = [
    ("nearest", 5, [0, 1, 3, 4, 6]),
    ("nearest", 4, [0, 2, 4, 6]),
    ("nearest-exact", 5, [0, 2, 4, 5, 7]),
    ("nearest-exact", 4, [1, 3, 5, 7]),
]


@pytest.mark.parametrize("library", CONVERTERS)
@pytest.mark.parametrize(("mode", "size", "expected"), COPIED)
def test_which_pixels_a_resize_copies(library, mode, size, expected):
    if library == "Kornia" and mode == "nearest-exact":
        return  # it has no such mode
    layer = CONVERTERS[library]((size, size), mode)
    assert (layer(ROW) * 255).round()[0, 0, 0].tolist() == expected
    assert (layer(ROW.mT) * 255).round()[0, 0, :, 0].tolist() == expected


@pytest.mark.parametrize("mode", MODES)
def test_copies_are_torchs_for_any_sizes(mode):
    for extent in range(1, 40):
        for size in range(1, 90, 7):
            row = torch.arange(float(extent)).expand(1, 1, 1, extent)
            expected = F.interpolate(row, (1, size), mode=mode)
            assert torch.equal(A.Resize((1, size), resample=mode)(row), expected), (extent, size)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
def test_a_resized_crop_copies_pixels_of_its_box(mode, dtype):
    layer = A.from_torchvision(v2.RandomResizedCrop((6, 5), interpolation=MODES[mode]), strict=True)
    images = torch.randint(0, 256, (16, 3, 31, 29), dtype=torch.uint8)
    given = images if dtype == torch.uint8 else images.to(dtype) / 255
    noise = layer.noise(torch.arange(16))
    box = layer.resolve(layer.params(noise), (31, 29))
    for i, out in enumerate(layer(given, noise)):
        top, left, height, width = (int(box[name][i]) for name in ("top", "left", "height", "width"))
        part = images[i : i + 1, :, top : top + height, left : left + width].to(out.dtype)
        assert torch.equal((out * 255).round(), F.interpolate(part, (6, 5), mode=mode)[0])


@pytest.mark.parametrize("compile", [False, True])
def test_one_pass_with_other_warps_is_one_after_another(compile):
    """A copy of a copy: nothing is interpolated, so both are the same to the bit."""
    lib, images = unchecked if compile else A, torch.randint(0, 256, (4, 3, 17, 23), dtype=torch.uint8)
    layers = (
        lib.RandomHorizontalFlip(0.5),
        lib.Resize((12, 9), resample="nearest"),
        lib.RandomRotation(40.0, resample="nearest"),
        lib.RandomResizedCrop((8, 14), resample="nearest-exact", p=0.5),
        lib.CenterCrop(7),
    )
    pipeline = lib.Pipeline(*layers, compile=compile)
    noise, expected = pipeline.noise(torch.arange(4)), images
    for layer, part in zip(layers, noise.split([layer.draws for layer in layers], 1), strict=True):
        expected = layer(expected, part)
    torch.testing.assert_close(pipeline(images, noise), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_packed_images_are_copied_as_dense_ones(mode):
    images = [torch.randint(0, 256, (3, *size), dtype=torch.uint8) for size in ((9, 14), (20, 11))]
    out = A.Resize((6, 7), resample=mode)(PackedImages.from_images(images))
    for image, one in zip(images, out, strict=True):
        assert torch.equal((one * 255).round(), F.interpolate(image[None].float(), (6, 7), mode=mode)[0])


def test_masks_are_copied_with_their_images_and_points_are_not():
    """Boxes and keypoints go where the content is, whatever pixel stands for it."""
    mask = torch.arange(64).view(1, 8, 8)
    points, boxes = torch.tensor([[[2.0, 3.0]]]), torch.tensor([[[0.0, 2.0, 4.0, 6.0]]])
    batch = Batch(ROW, mask=mask, keypoints=points, boxes=boxes)
    out = A.Resize((4, 4), resample="nearest")(batch)
    assert torch.equal(out.mask, mask[:, ::2, ::2])
    torch.testing.assert_close(out.keypoints, (points + 0.5) / 2 - 0.5)
    torch.testing.assert_close(out.boxes, boxes / 2)
    assert out.keypoints_visible.all()
    back = A.Resize((4, 4), resample="nearest").eval().inverse(out, size=(8, 8))
    torch.testing.assert_close(back.keypoints, points)


def test_other_layers_do_not_offer_torchs_second_way():
    with pytest.raises(
        ValueError, match="RandomRotation: resample='nearest-exact' must be one of nearest, bilinear, bicu"
    ):
        A.RandomRotation(5.0, resample="nearest-exact")
    with pytest.raises(
        ValueError, match="Resize: resample='cubic' must be one of nearest, nearest-exact, bilinear, bicu"
    ):
        A.Resize(5, resample="cubic")


# bicubic

SIZES = [(17, 20), (31, 50), (64, 80), (5, 6)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("channels_last", [True, False])
def test_bicubic_is_torchs(size, antialias, channels_last):
    images = torch.rand(2, 3, 31, 37, dtype=torch.float64)
    order = torch.channels_last if channels_last else torch.contiguous_format
    expected = F.interpolate(images, size, mode="bicubic", antialias=antialias, align_corners=False)
    layer = A.Resize(size, resample="bicubic", antialias=antialias)
    torch.testing.assert_close(layer(images.contiguous(memory_format=order)), expected, rtol=0, atol=1e-6)


def test_bicubic_without_antialiasing_is_opencvs():
    cv2 = pytest.importorskip("cv2")
    image = torch.rand(31, 37)
    expected = torch.from_numpy(cv2.resize(image.numpy(), (50, 20), interpolation=cv2.INTER_CUBIC))
    out = A.Resize((20, 50), resample="bicubic", antialias=False)(image[None, None])
    torch.testing.assert_close(out[0, 0], expected, rtol=0, atol=1e-5)


def test_bicubic_of_a_warp_is_grid_samples():
    """Inside of the image, where what lies outside plays no part."""
    images = torch.rand(2, 3, 24, 24, dtype=torch.float64)
    arguments = {"degrees": (20.0, 20.0), "scale": (1.7, 1.7), "resample": "bicubic", "p": 1.0}
    expected = K.RandomAffine(**arguments, align_corners=True)(images)
    torch.testing.assert_close(A.RandomAffine(**arguments)(images), expected, rtol=0, atol=1e-5)


EDGES = torch.tensor([0, 255], dtype=torch.uint8).repeat_interleave(5).repeat(1, 3, 20, 2)
BICUBIC = {
    "Resize": lambda: A.Resize((31, 33), resample="bicubic"),
    "Resize, not antialiased": lambda: A.Resize((31, 33), resample="bicubic", antialias=False),
    "RandomResizedCrop": lambda: A.RandomResizedCrop((31, 33), resample="bicubic"),
    "RandomRotation": lambda: A.RandomRotation(30.0, resample="bicubic", p=1.0),
    "for some": lambda: A.RandomRotation(30.0, resample="bicubic", p=0.5),
    "RandomElasticTransform": lambda: A.RandomElasticTransform(9, (2.0, 2.0), resample="bicubic", p=1.0),
    "packed": lambda: A.Resize((31, 33), resample="bicubic"),
    "RandAugment": lambda: A.RandAugment(3, 20, resample="bicubic"),
    "torchvision": lambda: A.from_torchvision(v2.Resize((31, 33), interpolation=v2.InterpolationMode.BICUBIC)),
}


@pytest.mark.parametrize("name", BICUBIC)
def test_what_bicubic_makes_of_bytes_is_in_their_range(name):
    layer, images = BICUBIC[name](), EDGES.expand(8, -1, -1, -1)
    given = PackedImages.from_images(list(images)) if name == "packed" else images
    out = layer(given, layer.noise(torch.arange(8)))
    assert out.min() >= 0
    assert out.max() <= 1


def test_compiled_bicubic_stays_in_range_and_is_what_eager_mode_gives():
    layers = unchecked.RandomRotation(30.0, resample="bicubic", p=0.5), unchecked.Resize((31, 33), resample="bicubic")
    images, noise = EDGES.expand(8, -1, -1, -1), layers[0].noise(torch.arange(8))
    eager, compiled = (unchecked.Pipeline(*layers, compile=compile)(images, noise) for compile in (False, True))
    torch.testing.assert_close(compiled, eager, rtol=0, atol=1e-5)
    assert compiled.min() >= 0
    assert compiled.max() <= 1


def test_bicubic_of_floats_overshoots_as_torchs_does():
    images = EDGES / 255
    expected = F.interpolate(images, (31, 33), mode="bicubic", antialias=True, align_corners=False)
    assert expected.max() > 1.05
    torch.testing.assert_close(A.Resize((31, 33), resample="bicubic")(images), expected, rtol=0, atol=1e-5)
