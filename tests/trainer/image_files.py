"""Helpers that write image files, including variants that Pillow cannot write, and read them."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

from augment.tools.decoding import decode


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    """Return the bytes of the file that Pillow writes."""
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def pixels(source: Any, **options: Any) -> np.ndarray:
    """Decode a file to (H, W, C), or (H, W) if C is 1; int64."""
    read = decode(source, **options).permute(1, 2, 0).numpy().astype(np.int64)
    return read[..., 0] if read.shape[2] == 1 else read


def drawing(width: int = 64, height: int = 48) -> np.ndarray:
    """Return an (H, W, 3) uint8 image without any symmetry, smooth enough for every codec."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 3, y * 4, 255 - x - 2 * y], axis=-1).clip(0, 255).astype(np.uint8)


def png(width: int, bits: int, kind: int, *rows: bytes, transparent: bytes = b"", height: int | None = None) -> bytes:
    """Return a PNG of the given colour type (0 grey, 2 colour, 4 grey and alpha); `transparent` is its tRNS chunk."""
    head = struct.pack(">IIBBBBB", width, height or len(rows), bits, kind, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = [(b"IHDR", head), (b"tRNS", transparent), (b"IDAT", pixels), (b"IEND", b"")]
    written = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
        if data or name == b"IEND"
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


def tiff(width: int, bits: int, data: bytes, order: str = "<", **tags: int) -> bytes:
    """Return a grey TIFF of one row of unsigned integers, with 0 as black unless tags say otherwise.

    Args:
        order: "<" for little endian, ">" for big endian.
        tags: PhotometricInterpretation (0: white is zero), SampleFormat (2: signed, 3: floats), ExtraSamples (1: a
            second sample is alpha, and the grey is premultiplied by it).
    """
    samples = 1 + ("ExtraSamples" in tags)
    entries = {256: [width], 257: [1], 258: [bits] * samples, 259: [1], 277: [samples], 278: [1], 279: [len(data)]}
    entries |= {262: [tags.get("PhotometricInterpretation", 1)], 339: [tags.get("SampleFormat", 1)]}
    entries |= {338: [tags["ExtraSamples"]]} if samples == 2 else {}
    entries[273] = [8 + 2 + 12 * (len(entries) + 1) + 4]  # offset of the pixels
    written = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(entries))
    for tag, values in sorted(entries.items()):
        written += struct.pack(order + "HHIHH", tag, 3, len(values), *values, *[0] * (2 - len(values)))
    return written + struct.pack(order + "I", 0) + data


def tga(alpha_bits: int, *pixels: tuple[int, int, int, int]) -> bytes:
    """Return a TGA of one row of (blue, green, red, alpha) pixels."""
    head = struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, len(pixels), 1, 32, alpha_bits)
    return head + b"".join(map(bytes, pixels))


def fits(*values: int) -> bytes:
    """Return a FITS file of one row of 16-bit values."""
    cards = {"SIMPLE": "T", "BITPIX": "16", "NAXIS": "2", "NAXIS1": str(len(values)), "NAXIS2": "1"}
    head = "".join(f"{name:8}= {value:>20}".ljust(80) for name, value in cards.items()) + "END".ljust(80)
    return head.ljust(2880).encode() + struct.pack(f">{len(values)}h", *values).ljust(2880, b"\0")
