"""Shrinks one image file; runs in the worker processes."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import torch

from augment.core.pipeline import Pipeline
from augment.data.known import whole_size
from augment.layers.geometric.resize import Resize, SmallestMaxSize
from augment.tools.decoding import ImageFile
from augment.tools.errors import ToolError
from augment.tools.reading import looked_at

FORMATS = {"jpg": ("JPEG", {"subsampling": 0}), "png": ("PNG", {}), "webp": ("WEBP", {})}
"""Suffix -> Pillow's name of the format, and its options besides the quality; JPEG keeps the colours' resolution."""


@dataclass(frozen=True)
class Job:
    """An image to shrink.

    Attributes:
        source, target: paths of the image and of the smaller one.
        size: length of the shorter side in pixels; an image that is smaller keeps its size.
        quality: of JPEG and WebP, 1 to 100.
        background: colour behind transparent images.
    """

    source: Path
    target: Path
    size: int
    quality: int
    background: str


@dataclass(frozen=True)
class Outcome:
    """What became of an image.

    Attributes:
        source: its path.
        digest: of the file's bytes, equal for copies of a file; empty if it was not read.
        shorter: length of the original's shorter side in pixels, 0 if it was not read.
        problem: why it could not be read; None if the target was written, or was there already.
    """

    source: Path
    digest: str = ""
    shorter: int = 0
    problem: str | None = None


def shrink(job: Job) -> Outcome:
    """Write the smaller image; an interruption leaves either the whole file or none."""
    try:
        data = job.source.read_bytes()
        file = ImageFile(data, background=job.background)
        height, width = file.size
        write(file, min(job.size, height, width), job)
    except OSError as error:
        return Outcome(job.source, problem=error.strerror or str(error))
    except ToolError as error:
        return Outcome(job.source, problem=str(error.__cause__ or error))
    return Outcome(job.source, hashlib.blake2b(data, digest_size=16).hexdigest(), min(height, width))


def write(file: ImageFile, size: int, job: Job) -> None:
    """Decode no finer than needed, resize with antialiasing, and save beside the target, then rename."""
    from PIL import Image

    torch.set_num_threads(1)  # one process per core
    resize = Resize(whole_size(SmallestMaxSize(size).out_size(file.size)))
    pipeline = Pipeline(resize, dtype=torch.uint8, compile=False).eval()
    pixels = pipeline(looked_at([file], pipeline, None))[0].permute(1, 2, 0).numpy()
    name, options = FORMATS[job.target.suffix[1:]]
    job.target.parent.mkdir(parents=True, exist_ok=True)
    part = job.target.with_name(f".{job.target.name}.{os.getpid()}.part")
    try:
        Image.fromarray(pixels).save(part, name, quality=job.quality, **options)
        os.replace(part, job.target)
    finally:
        part.unlink(missing_ok=True)
