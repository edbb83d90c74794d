"""Images from wherever they come, as a batch that a pipeline or a model takes: files, bytes, Pillow, numpy, tensors."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

import torch
from torch import Tensor

from augment.data.packed import PackedImages
from augment.data.types import UInt8
from augment.tools.decoding import decode

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    Source = str | os.PathLike | bytes | IO[bytes] | Image | np.ndarray | Tensor

_KINDS = (
    "a path, the bytes of an image file, an open binary file, a Pillow image, a numpy array (H, W, C) or (H, W), "
    "a tensor (C, H, W), or a list of these"
)
_ORDERS = ("RGB", "BGR")
_LUMA = (19595, 38470, 7471)
"""Weights of red, green and blue in grey, in 1/65536: Pillow's `Convert.c`, from ITU-R BT.601."""


def as_images(
    source: Source | Sequence[Source],
    order: str = "RGB",
    channels: int = 3,
    background: str | Sequence[int] = "white",
) -> Tensor | PackedImages:
    """Brings images of any kind to the form that `Preprocess` and every pipeline take: uint8, three channels or one.

    16-bit values keep their upper 8 bits, grey becomes three equal channels, and colour becomes grey by ITU-R BT.601,
    as in files (docs/files.md).

    Args:
        source: a path, the bytes of an image file, an open binary file, a Pillow image, a numpy array (H, W, C) or
            (H, W), a tensor (C, H, W), or a list of these, of any sizes. An array (B, H, W, C) and a tensor
            (B, C, H, W) are lists too. Arrays and tensors are uint8 or uint16 with 1 or 3 channels.
        order: of the channels of numpy arrays and tensors, "RGB" or "BGR" (OpenCV's).
        channels: of the result, 3 for colour or 1 for grey.
        background: colour behind transparent pixels of files and Pillow images, see `augment.tools.decoding.colour`.

    Returns:
        (B, channels, H, W) if all images have one size, otherwise PackedImages.

    Raises:
        TypeError, ValueError: an image is none of the above, or its layout is not certain.
        ToolError: a file cannot be read.

    Example:
        >>> A.as_images([torch.zeros(3, 8, 9, dtype=torch.uint8)] * 2).shape
        torch.Size([2, 3, 8, 9])
    """
    if order not in _ORDERS:
        raise ValueError(f"as_images: order={order!r} must be 'RGB' or 'BGR'.")
    if channels not in (1, 3):
        raise ValueError(f"as_images: channels={channels!r} must be 1 (grey) or 3 (colour).")
    listed = isinstance(source, (list, tuple)) or getattr(source, "ndim", 0) == 4
    sources: Any = source if listed else [source]
    if not len(sources):
        raise ValueError("as_images: source must hold at least one image.")
    name = "source[{}]" if listed else "source"
    reading = {"channels": channels, "background": background}
    images = [_image(item, name.format(number), order, reading) for number, item in enumerate(sources)]
    alike = len({image.shape for image in images}) == 1
    return torch.stack(images) if alike else PackedImages.from_images(images)


def _image(source: Any, name: str, order: str, reading: dict[str, Any]) -> UInt8[Tensor, "c h w"]:
    """Returns one image; `reading` holds the arguments of `decode`."""
    if isinstance(source, (str, os.PathLike, bytes)):
        return decode(source, **reading)
    if hasattr(source, "read"):
        return decode(source.read(), **reading)
    if _is(source, "PIL.Image", "Image"):
        return _of_pillow(source, reading)
    if _is(source, "numpy", "ndarray"):
        return _coloured(_of_array(source, name), order, reading["channels"])
    if isinstance(source, Tensor):
        return _coloured(_of_tensor(source, name), order, reading["channels"])
    raise TypeError(f"as_images: {name} is a {type(source).__name__}; it must be {_KINDS}.")


def _is(source: object, module: str, kind: str) -> bool:
    """Whether an object is of a class of a library, which then has been imported."""
    found = sys.modules.get(module)
    return found is not None and isinstance(source, getattr(found, kind))


def _of_pillow(image: Image, reading: dict[str, Any]) -> UInt8[Tensor, "c h w"]:
    """Decodes a Pillow image as its file would be decoded; other modes than RGB take the way of a file."""
    import numpy as np
    from PIL import ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode == "RGB" and "transparency" not in image.info and reading["channels"] == 3:
        return torch.from_numpy(np.array(image)).permute(2, 0, 1)
    file = io.BytesIO()
    image.save(file, "TIFF" if image.mode in ("CMYK", "LAB", "YCbCr", "F") else "PNG")
    return decode(file.getvalue(), **reading)


def _of_array(array: np.ndarray, name: str) -> UInt8[Tensor, "c h w"]:
    import numpy as np

    if array.dtype not in (np.uint8, np.uint16):
        raise TypeError(f"as_images: {name} is a {array.dtype} array; it must be uint8 or uint16.")
    channels = array.shape[-1] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 3) or not array.size:
        hint = ""
        if array.ndim == 3 and array.shape[0] in (1, 3):
            hint = ", and its channels seem to come first: call array.transpose(1, 2, 0)"
        raise ValueError(
            f"as_images: {name} has the shape {array.shape}; a numpy array must be (H, W), (H, W, 1) or (H, W, 3)"
            f"{hint}."
        )
    if array.ndim == 3 and array.shape[0] in (1, 3):
        raise ValueError(
            f"as_images: {name} has the shape {array.shape}, so its channels may come first or last; give a tensor "
            "(C, H, W)."
        )
    levels = (array >> 8).astype(np.uint8) if array.dtype == np.uint16 else array
    whole = np.array(levels, order="C")  # a copy; torch takes no negative strides
    return torch.from_numpy(whole.reshape(*array.shape[:2], channels)).permute(2, 0, 1)


def _of_tensor(image: Tensor, name: str) -> UInt8[Tensor, "c h w"]:
    if image.dtype not in (torch.uint8, torch.uint16):
        raise TypeError(f"as_images: {name} is a {image.dtype} tensor; it must be uint8 or uint16.")
    if image.ndim != 3 or image.shape[0] not in (1, 3) or not image.numel():
        hint = ""
        if image.ndim == 3 and image.shape[2] in (1, 3):
            hint = ", and its channels seem to come last: call image.permute(2, 0, 1)"
        raise ValueError(
            f"as_images: {name} has the shape {tuple(image.shape)}; a tensor must be (C, H, W) with 1 or 3 "
            f"channels{hint}."
        )
    return (image.to(torch.int32) >> 8).to(torch.uint8) if image.dtype == torch.uint16 else image


def _coloured(image: UInt8[Tensor, "c h w"], order: str, channels: int) -> UInt8[Tensor, "c2 h w"]:
    """Returns red, green and blue, or grey."""
    if channels == image.shape[0] == 1:
        return image
    image = image.flip(0) if image.shape[0] == 3 and order == "BGR" else image.expand(3, -1, -1)
    return image if channels == 3 else _grey(image)


def _grey(image: UInt8[Tensor, "3 h w"]) -> UInt8[Tensor, "1 h w"]:
    """Returns ITU-R BT.601's luma in Pillow's whole numbers, so that arrays give what their files give."""
    weights = torch.tensor(_LUMA, dtype=torch.int32, device=image.device).view(3, 1, 1)
    return ((image.to(torch.int32) * weights).sum(0, keepdim=True, dtype=torch.int32) + (1 << 15) >> 16).to(torch.uint8)
