"""Decoding of image files to pixels."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from augment.__main__ import main
from augment.tools.decoding import decode
from augment.tools.errors import ToolError
from augment.tools.preview.sheet import MARGIN
from lightning_modules.data.file_images import FileImages
from tests.trainer import image_files as raw
from tests.trainer.image_files import drawing, pixels, saved

# -------------------------------------------------------------------------------------------------------- orientation

STORED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: np.rot90(upright),
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}
"""EXIF orientation -> how a camera stores an upright image."""

TURNED: dict[str, tuple[str, dict[str, Any], int]] = {
    "jpeg": ("JPEG", {"quality": 95, "subsampling": 0}, 6),
    "png": ("PNG", {}, 0),
    "webp": ("WEBP", {"lossless": True}, 0),
    "tiff": ("TIFF", {}, 0),
    "tiff-lzw": ("TIFF", {"compression": "tiff_lzw"}, 0),
    "mpo": ("MPO", {"quality": 95, "subsampling": 0}, 6),
    "avif": ("AVIF", {"quality": 95, "subsampling": "4:4:4"}, 6),
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("name", TURNED)
def test_exif_orientation_is_applied_once(name: str, orientation: int) -> None:
    format, options, tolerance = TURNED[name]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](drawing())))
    read = pixels(saved(stored, format, exif=exif, **options))
    assert read.shape == (48, 64, 3)
    assert np.abs(read - drawing()).max() <= tolerance


def test_orientation_is_applied_to_deep_and_transparent_images() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    grey = drawing()[..., 0]
    deep = Image.fromarray(np.ascontiguousarray(np.rot90(grey)).astype(np.uint16) * 257)
    assert np.array_equal(pixels(saved(deep, "PNG", exif=exif), channels=1), grey)
    clear = Image.fromarray(np.ascontiguousarray(np.rot90(np.dstack([drawing(), drawing()[..., 0] // 128 * 255]))))
    expected = np.where(drawing()[..., :1] < 128, 255, drawing())
    assert np.array_equal(pixels(saved(clear, "PNG", exif=exif)), expected)


@pytest.mark.parametrize("format", ["JPEG", "WEBP"])
def test_orientation_may_stand_in_xmp(format: str) -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(drawing())))
    read = pixels(saved(stored, format, xmp=xmp, quality=95))
    assert read.shape == (48, 64, 3)
    assert np.abs(read - drawing()).mean() < 6


@pytest.mark.parametrize("exif", [b"Exif\0\0junk", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\0\x01"])
@pytest.mark.filterwarnings("ignore:Corrupt EXIF|Truncated")
def test_broken_exif_leaves_the_image_as_it_is(exif: bytes) -> None:
    assert np.array_equal(pixels(saved(Image.fromarray(drawing()), "PNG", exif=exif)), drawing())


# ------------------------------------------------------------------------------------------------------- deep samples

GREY = drawing()[..., 2]
DEEP = {
    "png": lambda: saved(Image.fromarray(GREY.astype(np.uint16) * 257), "PNG"),
    "png, shifted": lambda: saved(Image.fromarray(GREY.astype(np.uint16) * 256), "PNG"),
    "tiff": lambda: saved(Image.fromarray(GREY.astype(np.uint16) * 257), "TIFF"),
    "tiff-lzw": lambda: saved(Image.fromarray(GREY.astype(np.uint16) * 257), "TIFF", compression="tiff_lzw"),
    "tiff, big endian": lambda: saved(Image.fromarray((GREY.astype(np.uint16) * 257).astype(">u2")), "TIFF"),
    "jpeg 2000": lambda: saved(Image.fromarray(GREY.astype(np.uint16) * 257), "JPEG2000", irreversible=False),
    "pgm": lambda: saved(Image.fromarray(GREY.astype(np.uint16) * 257), "PPM"),
    "pgm of 10 bits": lambda: (
        b"P5 64 48 1023\n" + (np.round(GREY / 255 * 1023 + 0.25).astype(">u2")).tobytes()  # the middle of the level
    ),
    "floats": lambda: saved(Image.fromarray(GREY.astype(np.float32) / 255), "TIFF"),
    "floats, pfm": lambda: saved(Image.fromarray(GREY.astype(np.float32) / 255), "PPM"),
}


@pytest.mark.parametrize("name", DEEP)
def test_deep_grey_is_scaled_by_the_range_of_its_format(name: str) -> None:
    tolerance = int("10 bits" in name)
    assert np.abs(pixels(DEEP[name](), channels=1) - GREY).max() <= tolerance
    assert np.abs(pixels(DEEP[name]()) - GREY[..., None]).max() <= tolerance


FEW = {
    "12 bits": (raw.tiff(2, 12, bytes([0xFF, 0xF8, 0x00])), (255, 128)),
    "white is zero": (raw.tiff(2, 16, struct.pack("<HH", 0, 65535), PhotometricInterpretation=0), (255, 0)),
    "white is zero, 8 bits": (raw.tiff(2, 8, bytes([0, 255]), PhotometricInterpretation=0), (255, 0)),
    "white is zero, floats": (
        raw.tiff(2, 32, struct.pack("<ff", 0, 0.8), PhotometricInterpretation=0, SampleFormat=3),
        (255, 51),
    ),
    "big endian": (raw.tiff(2, 16, struct.pack(">HH", 0x1234, 65535), order=">"), (0x12, 255)),
    "png of 1 bit": (raw.png(2, 1, 0, bytes([0b01000000])), (0, 255)),
    "png of 2 bits": (raw.png(2, 2, 0, bytes([0b01110000])), (85, 255)),
    "png of 4 bits": (raw.png(2, 4, 0, bytes([0x1F])), (17, 255)),
    "pgm of 4 bits": (b"P5 2 1 15\n" + bytes([1, 15]), (17, 255)),
    "pbm": (b"P4 2 1\n" + bytes([0b10000000]), (0, 255)),
}


@pytest.mark.parametrize("name", FEW)
def test_every_depth_fills_the_range(name: str) -> None:
    data, levels = FEW[name]
    assert pixels(data, channels=1).tolist() == [list(levels)]


def test_colour_of_16_bits_is_scaled() -> None:
    data = raw.png(2, 16, 2, struct.pack(">6H", 0x1234, 0, 65535, 0xFF00, 0x8000, 0x00FF))
    assert pixels(data).tolist() == [[[0x12, 0, 255], [255, 128, 0]]]


UNKNOWN = {
    "int32": lambda: saved(Image.fromarray(GREY.astype(np.int32)), "TIFF"),
    "uint32": lambda: raw.tiff(2, 32, struct.pack("<II", 7, 4_000_000_000)),
    "int16": lambda: raw.tiff(2, 16, struct.pack("<hh", -1, 5), SampleFormat=2),
    "int8": lambda: raw.tiff(2, 8, struct.pack("<bb", -1, 5), SampleFormat=2),
    "floats to 255": lambda: saved(Image.fromarray(GREY.astype(np.float32)), "TIFF"),
    "floats below 0": lambda: raw.tiff(2, 32, struct.pack("<ff", -0.5, 0.5), SampleFormat=3),
    "NaN": lambda: raw.tiff(2, 32, struct.pack("<ff", 0.5, float("nan")), SampleFormat=3),
    "fits": lambda: raw.fits(-5, 300),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_range_is_refused(name: str, tmp_path: Path) -> None:
    file = tmp_path / "deep.tif"
    file.write_bytes(UNKNOWN[name]())
    with pytest.raises(
        ToolError, match=r"cannot read the image .*deep\.tif \(it holds .*\): save it with 8 or 16 unsigned bits"
    ):
        decode(file)


# ------------------------------------------------------------------------------------------------------------ colours


def test_channels_are_what_is_asked() -> None:
    image = Image.fromarray(drawing())
    luma = (drawing() @ np.array([0.299, 0.587, 0.114])).round()
    assert np.abs(pixels(saved(image, "PNG"), channels=1) - luma).max() <= 1
    assert np.array_equal(pixels(saved(Image.fromarray(GREY), "PNG")), np.dstack([GREY] * 3))


def ycck() -> bytes:
    """Return a CMYK JPEG as Adobe writes it, coded as YCCK: the green CMYK (200, 30, 120, 0)."""
    luma = Image.new("RGB", (16, 16), (200, 30, 120)).convert("YCbCr").getpixel((0, 0))
    data = saved(Image.new("CMYK", (16, 16), (*(255 - level for level in luma), 0)), "JPEG", quality=100)
    place = data.index(b"Adobe") + 11
    return data[:place] + b"\2" + data[place + 1 :]


COLOURS = {
    "cmyk jpeg": lambda c: saved(c.convert("CMYK"), "JPEG", quality=100),
    "cmyk tiff": lambda c: saved(c.convert("CMYK"), "TIFF"),
    "ycck": lambda c: ycck(),
    "lab": lambda c: saved(c.convert("LAB"), "TIFF"),
    "ycbcr": lambda c: saved(c.convert("YCbCr"), "TIFF"),
    "ycbcr jpeg": lambda c: saved(c.convert("YCbCr"), "TIFF", compression="jpeg", quality=100),
    "rgbx": lambda c: saved(c.convert("RGBX"), "TIFF"),
    "palette": lambda c: saved(c.quantize(4), "PNG"),
}


@pytest.mark.parametrize("name", COLOURS)
def test_colour_spaces_become_red_green_blue(name: str) -> None:
    shade = (55, 225, 135)
    data = COLOURS[name](Image.new("RGB", (16, 16), shade))
    tolerance = 6 if name == "lab" else 3  # 8 bits are coarse in LAB
    assert np.abs(pixels(data) - np.array(shade)).max() <= tolerance
    assert np.abs(pixels(data, channels=1) - shade @ np.array([0.299, 0.587, 0.114])).max() <= 3


FRAMES = {"gif": "GIF", "apng": "PNG", "webp": "WEBP", "tiff": "TIFF", "avif": "AVIF"}


@pytest.mark.parametrize("name", FRAMES)
def test_the_first_of_many_frames_is_read(name: str) -> None:
    red, *more = (Image.new("RGB", (16, 16), shade) for shade in ("red", "blue", "lime"))
    read = pixels(saved(red, FRAMES[name], save_all=True, append_images=more))
    assert np.abs(read - np.array([255, 0, 0])).max() <= 3


# ------------------------------------------------------------------------------------------------------ broken files

CODECS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000", "TGA", "ICO", "QOI"]


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("format", CODECS)
@pytest.mark.filterwarnings("ignore")
def test_a_cut_file_is_one_sentence_that_names_it(format: str, share: float, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8)
    data = saved(Image.fromarray(noise), format)
    file = tmp_path / "cut.img"
    file.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ToolError) as caught:
        decode(file)
    assert str(caught.value).startswith(f"cannot read the image {file} (")
    assert str(caught.value).endswith("): remove or replace the file.")


def test_what_is_no_image_is_one_sentence_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "page.jpg").write_text("<html>")
    with pytest.raises(ToolError, match=r"page\.jpg \(its content is not in a format that Pillow reads\)"):
        decode(tmp_path / "page.jpg")
    with pytest.raises(ToolError, match=r"none\.jpg \(No such file or directory\)"):
        decode(tmp_path / "none.jpg")


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(raw.png(30_000, 8, 2, b"", height=30_000))
    with pytest.raises(ToolError, match=r"bomb\.png \(Image size \(900000000 pixels\) exceeds limit"):
        decode(tmp_path / "bomb.png")


# ------------------------------------------------------------------------------------------------------- one decoder


def test_path_bytes_and_file_give_the_same(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    Image.fromarray(drawing()).save(file)
    read = decode(file)
    assert read.dtype == torch.uint8
    assert read.permute(1, 2, 0).is_contiguous()
    assert torch.equal(read, decode(str(file)))
    assert torch.equal(read, decode(file.read_bytes()))
    with file.open("rb") as opened:
        assert torch.equal(read, decode(opened))
    with pytest.raises(ValueError, match="channels=2 must be 1"):
        decode(file, channels=2)


def test_the_trainer_and_the_preview_decode_alike(tmp_path: Path) -> None:
    """A rotated, 16-bit, transparent image looks on the sheet as the trainer reads it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    clear = Image.fromarray(np.dstack([drawing(), drawing()[..., 0]]))
    clear.save(tmp_path / "1.png", exif=exif)
    Image.fromarray(GREY.astype(np.uint16) * 257).save(tmp_path / "2.png")
    files = [tmp_path / "1.png", tmp_path / "2.png"]
    (tmp_path / "out").mkdir()
    options = ["--grid", "2x1", "--tile", "80", "--background", "red"]
    main(["preview", "RandomHorizontalFlip()", str(tmp_path), str(tmp_path / "out" / "sheet.png"), *options])
    sheet = np.array(Image.open(tmp_path / "out" / "sheet.png").convert("RGB"))
    trained = FileImages(files, torch.tensor([0, 0]), ["a"], 3, background="red")
    top = MARGIN
    for number in range(2):
        image = trained.images([number])[0].permute(1, 2, 0).numpy()
        height, width = image.shape[:2]
        places = [
            y
            for y in range(top, len(sheet) - height)
            if np.array_equal(sheet[y : y + height, MARGIN : MARGIN + width], image)
        ]
        assert places, number
        top = places[0] + height


@pytest.mark.parametrize("workers", [0, 1])
def test_the_doctor_names_a_broken_file(workers: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "page.jpg").write_text("<html>")
    with pytest.raises(SystemExit), warnings.catch_warnings():
        main(["doctor", "light", "--images", str(tmp_path), "--batch", "1", "--size", "32", "--workers", str(workers)])
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith(f"error: cannot read the image {tmp_path / 'page.jpg'} (")
