"""Boxes, keypoints and masks for the images of a preview, from a file in COCO's format."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from augment.tools.errors import ToolError
from augment.tools.preview.samples import Sample


def annotated(samples: list[Sample], path: str) -> list[Sample]:
    """Return the samples with their boxes, keypoints and masks.

    Args:
        samples: images whose names occur in the file.
        path: JSON with `images`, `annotations` and `categories`. An annotation has a `bbox` (x y width height), and
            may have `keypoints` and, as polygons, a `segmentation`.

    Raises:
        ToolError: the file is not of this form, or has none of the images.
    """
    try:
        told = json.loads(Path(path).read_text(encoding="utf-8"))
        names = {entry["id"]: entry["name"] for entry in told.get("categories", [])}
        numbers = {Path(entry["file_name"]).name: entry["id"] for entry in told["images"]}
        found: dict[Any, list[dict]] = {}
        for entry in told["annotations"]:
            found.setdefault(entry["image_id"], []).append(entry)
        if not any(sample.name in numbers for sample in samples):
            raise ToolError(f"--annotations: {path} has none of the images, such as {samples[0].name}.")
        return [_with(sample, found.get(numbers.get(sample.name), []), names) for sample in samples]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ToolError(f"--annotations: {path} is not a file in COCO's format ({error!r}).") from error


def _with(sample: Sample, entries: Sequence[dict], names: dict) -> Sample:
    boxes = torch.tensor([entry["bbox"] for entry in entries], dtype=torch.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    points = torch.tensor([value for entry in entries for value in entry.get("keypoints", ())], dtype=torch.float32)
    masked = any(isinstance(entry.get("segmentation"), list) for entry in entries)
    return replace(
        sample,
        boxes=boxes,
        keypoints=points.reshape(-1, 3) if len(points) else None,
        mask=_mask(sample.image, entries) if masked else None,
        box_names=tuple(names.get(entry.get("category_id"), "") for entry in entries),
    )


def _mask(image: Tensor, entries: Sequence[dict]) -> Tensor:
    """Fill the polygons of each annotation with its number, from 1."""
    from PIL import Image, ImageDraw

    mask = Image.new("I", (image.shape[2], image.shape[1]))
    pen = ImageDraw.Draw(mask)
    for number, entry in enumerate(entries, start=1):
        polygons = entry.get("segmentation")
        for polygon in polygons if isinstance(polygons, list) else ():
            pen.polygon(polygon, fill=number)
    return torch.frombuffer(bytearray(mask.tobytes()), dtype=torch.int32).view(mask.height, mask.width)
