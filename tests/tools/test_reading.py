"""Files are decoded smaller and cut where the pipeline allows it; two decoders give the same pixels."""

import io
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image

import augment as A
from augment.tools.decoding import ImageFile, decode
from augment.tools.errors import ToolError
from augment.tools.reading import images_of, looked_at

ORIENTATION = 274  # EXIF's tag


def photograph(size: tuple[int, int] = (427, 640)) -> Image.Image:
    """Of (height, width), at most (427, 640)."""
    return Image.fromarray(load_sample_image("china.jpg")[: size[0], : size[1]])


def jpeg(image: Image.Image, orientation: int = 1, **options: object) -> bytes:
    exif, file = Image.Exif(), io.BytesIO()
    exif[ORIENTATION] = orientation
    image.save(file, "JPEG", exif=exif, quality=90, **options)
    return file.getvalue()


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("factor", [1, 2, 4, 8])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_both_decoders_give_the_same_pixels(mode, orientation, factor, channels, monkeypatch):
    data = jpeg(photograph((64, 104)).convert(mode), orientation)
    fast = ImageFile(data, channels).pixels(factor)
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    assert torch.equal(ImageFile(data, channels).pixels(factor), fast)
    assert tuple(fast.shape[1:]) == tuple(side // factor for side in ImageFile(data).size)


@pytest.mark.parametrize("options", [{"progressive": True}, {"subsampling": 0}, {"subsampling": 2}, {"optimize": True}])
def test_every_kind_of_jpeg_is_pillows(options):
    data = jpeg(photograph((61, 75)), **options)
    assert np.array_equal(decode(data).permute(1, 2, 0).numpy(), np.array(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_that_of_the_upright_image(orientation):
    file = ImageFile(jpeg(photograph((64, 104)), orientation))
    assert file.size == tuple(file.pixels().shape[1:])


def test_what_cannot_be_reduced_says_so():
    assert ImageFile(png(photograph((16, 24)))).factors == (1,)
    assert ImageFile(jpeg(photograph((16, 24)).convert("CMYK"))).factors == (1,)
    assert ImageFile(jpeg(photograph((5, 24)))).factors == (4, 2, 1)
    assert ImageFile(jpeg(photograph((20, 24)), orientation=6)).factors == (4, 2, 1)  # 8 does not divide 20
    with pytest.raises(ValueError, match=r"factor=8 must be one of \[1, 2, 4\]"):
        ImageFile(jpeg(photograph((5, 24)))).pixels(8)


@pytest.mark.parametrize("factor", [1, 4])
def test_a_truncated_file_is_refused_at_every_size(factor):
    data = jpeg(photograph())
    with pytest.raises(ToolError, match=r"cannot read the image of \d+ bytes \(.*truncated"):
        ImageFile(data[: len(data) // 2]).pixels(factor)


def test_a_photograph_is_decoded_as_small_as_the_result_allows():
    """Beside a PNG, which is cut only, and one that EXIF data rotate."""
    pipeline = A.Pipeline(A.RandomResizedCrop(64, scale=(0.5, 1.0)), A.RandomHorizontalFlip())
    files = [jpeg(photograph()), png(photograph((200, 333))), jpeg(photograph((424, 640)), orientation=6)]
    noise = pipeline.noise(torch.arange(3))
    read = looked_at([ImageFile(data) for data in files], pipeline, noise)
    assert read.origin.scale.tolist() == [0.5, 1.0, 0.5]
    assert read.origin.sizes.tolist() == [[427, 640], [200, 333], [640, 424]]
    whole = images_of([ImageFile(data) for data in files])
    assert read.data.numel() < 0.3 * whole.data.numel()
    apart = (pipeline(read, noise) - pipeline(whole, noise)).abs() * 255
    assert apart.mean() < 1
    assert apart[1].max() < 1e-2


def test_small_images_stay_whole_and_together():
    files = [jpeg(photograph((32, 32))) for _ in range(3)]
    read = looked_at([ImageFile(data) for data in files], A.Pipeline(A.RandomHorizontalFlip()), torch.rand(3, 1))
    assert isinstance(read, torch.Tensor)
    assert torch.equal(read, images_of([ImageFile(data) for data in files]))
