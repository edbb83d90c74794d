"""Packed images are what they say: their bytes, sizes and largest size fit together when they are made."""

import copy
import pickle
from dataclasses import replace

import pytest
import torch

import augment as A
from augment.kernels.cpu import library
from tests.unchecked import import_unchecked

plain = import_unchecked("augment")  # the sentences that a user sees, not those of the tests' type checks
needs_kernels = pytest.mark.skipif(not library.AVAILABLE, reason="nothing compiled them when this was installed")


def packed(*sizes: tuple[int, int], channels: int = 3) -> A.PackedImages:
    torch.manual_seed(0)
    return A.PackedImages.from_images([torch.randint(0, 256, (channels, *size), dtype=torch.uint8) for size in sizes])


DATA, SIZES = torch.arange(3 * 26).to(torch.uint8), torch.tensor([[2, 3], [4, 5]])
WRONG = {
    "more than there is": ({"data": DATA[:-1]}, ValueError, "are 78 bytes, data has 77"),
    "less than there is": ({"data": DATA.repeat(2)}, ValueError, "are 78 bytes, data has 156"),
    "no pixels": ({"sizes": torch.tensor([[2, 3], [4, 0]])}, ValueError, r"sizes\[1\]=\[4, 0\] must be at least one"),
    "less than none": ({"sizes": torch.tensor([[-2, -3], [4, 5]])}, ValueError, r"sizes\[0\]=\[-2, -3\] must be"),
    "an overflow": ({"data": DATA[:0], "sizes": torch.tensor([[2**32, 2**32]])}, ValueError, "bytes, data has 0"),
    "another largest": ({"max_size": (40, 50)}, ValueError, r"max_size=\(40, 50\) must be the largest .*, \(4, 5\)"),
    "a smaller largest": ({"max_size": (2, 3)}, ValueError, r"max_size=\(2, 3\) must be the largest"),
    "no channels": ({"channels": 0}, ValueError, "channels=0 must be a positive whole number"),
    "half a channel": ({"channels": 1.5}, ValueError, "channels=1.5 must be a positive whole number"),
    "floats": ({"data": DATA.float()}, TypeError, r"data must be \(N,\) uint8, got \(78,\) torch.float32"),
    "long data": ({"data": DATA.long()}, TypeError, r"data must be \(N,\) uint8, got \(78,\) torch.int64"),
    "rows of data": ({"data": DATA[None]}, TypeError, r"data must be \(N,\) uint8, got \(1, 78\) torch.uint8"),
    "float sizes": ({"sizes": SIZES.float()}, TypeError, r"sizes must be \(B, 2\) int64"),
    "one size": ({"sizes": SIZES[0]}, TypeError, r"sizes must be \(B, 2\) int64"),
    "no tensor": ({"sizes": [[2, 3], [4, 5]]}, TypeError, "sizes must be a tensor, got list"),
    "two devices": ({"sizes": SIZES.to("meta")}, ValueError, "data is on cpu, but sizes is on meta"),
}


@pytest.mark.parametrize("name", WRONG)
def test_packed_images_that_do_not_fit_together(name):
    changes, error, message = WRONG[name]
    with pytest.raises(error, match=message):
        plain.PackedImages(**{"data": DATA, "sizes": SIZES, "channels": 3, "max_size": (4, 5)} | changes)


def test_packed_images_keep_strided_bytes_and_small_sizes():
    doubled = DATA.repeat_interleave(2)
    images = plain.PackedImages(doubled[::2], SIZES.to(torch.int32), 3, [4, 5])
    assert images.data.is_contiguous()
    assert images.sizes.dtype == torch.int64
    expected = plain.PackedImages(DATA, SIZES, 3, (4, 5))
    assert torch.equal(plain.Resize((3, 3))(images), plain.Resize((3, 3))(expected))


@pytest.mark.parametrize(
    "images",
    [
        [],
        [torch.zeros(3, 0, 4, dtype=torch.uint8)],
        [torch.zeros(0, 4, 4, dtype=torch.uint8)],
        [torch.zeros((), dtype=torch.uint8)],
        [None],
    ],
    ids=["none", "no rows", "no channels", "a number", "no tensor"],
)
def test_what_cannot_be_packed(images):
    with pytest.raises(ValueError, match=r"must be uint8 \(C, H, W\) with the same C and at least one pixel"):
        plain.PackedImages.from_images(images)


def test_slices_of_packed_images():
    sizes = [(5, 9), (30, 2), (1, 1), (7, 7)]
    whole, resize = packed(*sizes), A.Resize((6, 6))
    expected = resize(whole)
    for rows in (slice(None, 2), slice(2, None), slice(-1, None), slice(1, 3), slice(0, 99), slice(2, 2)):
        part = whole[rows]
        assert len(part) == len(sizes[rows])
        assert torch.equal(resize(part), expected[rows])
        assert len(part) == 0 or part.max_size == tuple(map(max, zip(*sizes[rows], strict=True)))
        assert len(part) == 0 or torch.equal(resize(replace(part)), expected[rows])  # as they are checked
    for rows in (0, slice(None, None, 2), [0, 1]):
        with pytest.raises(TypeError, match="must be a slice of neighbours"):
            plain.PackedImages(DATA, SIZES, 3, (4, 5))[rows]


def test_packed_images_travel():
    images, resize = packed((5, 9), (30, 2)), A.Resize((6, 6))
    expected = resize(images)
    for other in (pickle.loads(pickle.dumps(images)), copy.deepcopy(images), images.to("cpu"), replace(images)):
        assert torch.equal(resize(other), expected)
    assert images.to("meta").device.type == "meta"
    with pytest.raises(TypeError, match=r"data must be \(N,\) uint8, got .* torch.float16"):
        images.to(torch.float16)


def test_packed_images_in_compiled_code():
    resize = plain.Resize((6, 6))

    def repacked(data: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
        return resize(plain.PackedImages(data, sizes, 3, (30, 9)))

    images = packed((5, 9), (30, 2))
    out = torch.compile(repacked, fullgraph=True)(images.data, images.sizes)
    torch.testing.assert_close(out, repacked(images.data, images.sizes), rtol=0, atol=1e-5)


@needs_kernels
@pytest.mark.parametrize("layer", [A.Resize((6, 6)), A.Resize((6, 6), resample="nearest")], ids=["mean", "nearest"])
def test_packed_images_that_were_changed_afterwards(layer):
    images = packed((5, 9), (30, 2))
    images.sizes[0, 0] = 5_000
    with pytest.raises(ValueError, match="kernel sample: offsets must lie within"):
        layer(images)
