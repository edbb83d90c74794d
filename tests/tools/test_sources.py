"""Images of every kind become the same batch; what is uncertain is refused."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import augment as A
from augment.tools.errors import ToolError

PHOTO = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
IMAGE = torch.tensor(PHOTO).permute(2, 0, 1)


def as_bytes(image: Image.Image, format: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def sources(tmp_path: Path) -> dict[str, object]:
    picture = Image.fromarray(PHOTO)
    picture.save(tmp_path / "a.png")
    return {
        "path": tmp_path / "a.png",
        "str": str(tmp_path / "a.png"),
        "bytes": as_bytes(picture),
        "file": io.BytesIO(as_bytes(picture)),
        "Pillow": picture,
        "Pillow, opaque RGBA": picture.convert("RGBA"),
        "numpy": PHOTO,
        "not contiguous": np.ascontiguousarray(PHOTO[:, ::-1])[:, ::-1],
        "16 bits": PHOTO.astype(np.uint16) * 257,
        "tensor": IMAGE,
        "tensor of 16 bits": torch.tensor(PHOTO.astype(np.uint16) * 257).permute(2, 0, 1),
    }


def test_all_kinds_give_the_same_image(tmp_path):
    given = sources(tmp_path)
    for name, source in given.items():
        assert torch.equal(A.as_images(source), IMAGE[None]), name
    given["file"].seek(0)
    assert torch.equal(A.as_images(list(given.values())), IMAGE.expand(len(given), -1, -1, -1))
    for several in (PHOTO[None].repeat(2, 0), IMAGE.expand(2, -1, -1, -1)):
        assert torch.equal(A.as_images(several), IMAGE.expand(2, -1, -1, -1))


def test_mixed_sizes_are_preprocessed_as_each_alone(tmp_path):
    preprocess = A.Preprocess(8)
    several = [PHOTO, Image.fromarray(PHOTO[:, :15]), IMAGE[:, :12]]
    alone = torch.cat([preprocess(A.as_images(source)) for source in several])
    torch.testing.assert_close(preprocess(A.as_images(several)), alone, rtol=0, atol=1e-5)


def test_bgr_is_the_order_of_arrays_and_not_of_files():
    swapped = PHOTO[..., ::-1]
    for source in (swapped, torch.tensor(swapped.copy()).permute(2, 0, 1), Image.fromarray(PHOTO)):
        assert torch.equal(A.as_images(source, order="BGR"), IMAGE[None])


def test_grey_becomes_three_channels():
    grey = PHOTO[..., 0]
    for source in (grey, grey[..., None], IMAGE[:1], Image.fromarray(grey), as_bytes(Image.fromarray(grey))):
        assert torch.equal(A.as_images(source), IMAGE[:1].expand(1, 3, -1, -1))


def test_a_pillow_image_is_what_its_file_is():
    """Upright, and on white where it is transparent."""
    exif = Image.Exif()
    exif[274] = 6
    clear = Image.fromarray(np.dstack([PHOTO, PHOTO[..., 0]]))
    for file in (as_bytes(Image.fromarray(PHOTO), "JPEG", exif=exif), as_bytes(clear), as_bytes(clear.quantize(9))):
        assert torch.equal(A.as_images(Image.open(io.BytesIO(file))), A.as_images(file))


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ([], ValueError, "source must hold at least one image"),
        (3, TypeError, "source is a int; it must be a path, the bytes of"),
        ([PHOTO, None], TypeError, r"source\[1\] is a NoneType"),
        (PHOTO / 255, TypeError, "source is a float64 array; it must be uint8 or uint16"),
        (IMAGE / 255, TypeError, "source is a torch.float32 tensor; it must be uint8 or uint16"),
        (PHOTO.transpose(2, 0, 1), ValueError, r"channels seem to come first: call array.transpose\(1, 2, 0\)"),
        (np.zeros((3, 20, 3), np.uint8), ValueError, "its channels may come first or last"),
        (torch.tensor(PHOTO), ValueError, r"channels seem to come last: call image.permute\(2, 0, 1\)"),
        (np.zeros((20, 30, 4), np.uint8), ValueError, r"must be \(H, W\), \(H, W, 1\) or \(H, W, 3\)"),
        (np.zeros((0, 30, 3), np.uint8), ValueError, r"has the shape \(0, 30, 3\)"),
        ("nowhere.png", ToolError, "nowhere.png"),
        (b"no image", ToolError, "not in a format that Pillow reads"),
    ],
)
def test_what_is_no_image_is_refused(source, error, message):
    with pytest.raises(error, match=message):
        A.as_images(source)


def test_an_unknown_order_is_refused():
    with pytest.raises(ValueError, match="order='GBR' must be 'RGB' or 'BGR'"):
        A.as_images(PHOTO, order="GBR")


def test_grey_is_the_same_from_every_source(tmp_path: Path):
    expected = torch.tensor(np.array(Image.fromarray(PHOTO).convert("L")))[None, None]
    for name, source in sources(tmp_path).items():
        assert torch.equal(A.as_images(source, channels=1), expected), name
    assert torch.equal(A.as_images(PHOTO[..., ::-1], order="BGR", channels=1), expected)
    assert torch.equal(A.as_images(IMAGE[:1], channels=1)[0], IMAGE[:1])
    with pytest.raises(ValueError, match="channels=2"):
        A.as_images(PHOTO, channels=2)


def test_the_background_is_behind_transparent_files():
    clear = Image.new("RGBA", (4, 4), (255, 255, 255, 0))
    assert A.as_images(clear, background="black").unique().tolist() == [0]
    assert A.as_images(as_bytes(clear)).unique().tolist() == [255]
