"""Formats of boxes, and conversions between them.

Layers compute with one format for upright boxes, "xyxy", and one for rotated boxes, the four corners "xyxyxyxy".
"""

from __future__ import annotations

import torch
from torch import Tensor

from augment.data.types import Bool, Float, Num, Size

COLUMNS = {
    **dict.fromkeys(("xyxy", "xywh", "cxcywh", "xyxyn", "xywhn", "cxcywhn"), 4),
    "cxcywhr": 5,
    "xyxyxyxy": 8,
}
"""Formats with their number of columns, named as in torchvision; a final n stands for fractions of the image's sides.

cx and cy are the centre. r is an angle in degrees, counter-clockwise as seen in the image, from the x axis to the
direction of the width. The four corners are the top left one of the box without rotation, and on clockwise.
"""

ROTATED = ("cxcywhr", "xyxyxyxy")


def computed_format(name: str) -> str:
    """Returns the format in which layers compute with boxes of a format."""
    return "xyxyxyxy" if name in ROTATED else "xyxy"


def converted(boxes: Num[Tensor, "*b n k"], given: str, wanted: str, size: Size) -> Num[Tensor, "*b n k2"]:
    """Writes boxes of images of a size in another format; rotated boxes become the upright boxes around them."""
    if given == wanted:
        return boxes
    boxes = _corners(boxes) if given == "cxcywhr" else boxes if given == "xyxyxyxy" else _xyxy(boxes, given, size)
    now = computed_format(given)
    if now != computed_format(wanted):
        boxes = _around(boxes) if now == "xyxyxyxy" else _upright_corners(boxes)
    if wanted == "xyxyxyxy":
        return boxes
    return _rotated(boxes) if wanted == "cxcywhr" else _from_xyxy(boxes, wanted, size)


def have_area(boxes: Float[Tensor, "b n k"], name: str) -> Bool[Tensor, "b n"]:
    """Marks boxes with positive and finite sides; four corners must not lie on a line."""
    if name == "xyxyxyxy":
        area = twice_area(boxes).abs()
        return (area > 0) & (area < torch.inf)
    sides = boxes[..., 2:4] - boxes[..., :2] if name.startswith("xyxy") else boxes[..., 2:4]
    return ((sides > 0) & (sides < torch.inf)).all(-1)


def twice_area(quads: Float[Tensor, "b n 8"]) -> Float[Tensor, "b n"]:
    """Returns the cross product of the diagonals: twice the area, negative if the corners are mirrored."""
    across, other = quads[..., 4:6] - quads[..., :2], quads[..., 6:] - quads[..., 2:4]
    return across[..., 0] * other[..., 1] - across[..., 1] * other[..., 0]


def _xyxy(boxes: Tensor, name: str, size: Size) -> Tensor:
    x, y, a, b = boxes.unbind(-1)
    if name.endswith("n"):
        height, width = _sides(size)
        x, y, a, b = x * width, y * height, a * width, b * height
    if name.startswith("cxcywh"):
        return torch.stack([x - a / 2, y - b / 2, x + a / 2, y + b / 2], -1)
    return torch.stack([x, y, x + a, y + b] if name.startswith("xywh") else [x, y, a, b], -1)


def _from_xyxy(boxes: Tensor, name: str, size: Size) -> Tensor:
    x, y, a, b = boxes.unbind(-1)
    if not name.startswith("xyxy"):
        a, b = a - x, b - y
    if name.startswith("cxcywh"):
        x, y = x + a / 2, y + b / 2
    if name.endswith("n"):
        height, width = _sides(size)
        x, y, a, b = x / width, y / height, a / width, b / height
    return torch.stack([x, y, a, b], -1)


def _sides(size: Size) -> list[int | Tensor]:
    return [extent[:, None] if isinstance(extent, Tensor) else extent for extent in size]


def _corners(boxes: Tensor) -> Tensor:
    """Converts cxcywhr to corners."""
    x, y, width, height, angle = boxes.unbind(-1)
    cos, sin = torch.cos(torch.deg2rad(angle)) / 2, torch.sin(torch.deg2rad(angle)) / 2
    along, down = (width * cos, -width * sin), (height * sin, height * cos)  # half a side each
    corners = []
    for right, below in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        corners += [x + right * along[0] + below * down[0], y + right * along[1] + below * down[1]]
    return torch.stack(corners, -1)


def _upright_corners(boxes: Tensor) -> Tensor:
    x1, y1, x2, y2 = boxes.unbind(-1)
    return torch.stack([x1, y1, x2, y1, x2, y2, x1, y2], -1)


def _rotated(quads: Tensor) -> Tensor:
    """Returns the smallest cxcywhr around each four corners with a side in the direction of the first two."""
    corners = quads.unflatten(-1, (4, 2))
    side = corners[..., 1, :] - corners[..., 0, :]
    squared = side.square().sum(-1)
    length = torch.where(squared > 0, squared, 1.0).sqrt()
    x, y = torch.where(squared > 0, side[..., 0] / length, 1.0), side[..., 1] / length
    along, down = torch.stack([x, y], -1), torch.stack([-y, x], -1)
    middle = corners.mean(-2)
    offsets = corners - middle[..., None, :]
    sides = []
    for direction in (along, down):
        low, high = (offsets * direction[..., None, :]).sum(-1).aminmax(dim=-1)
        middle = middle + direction * ((low + high) / 2)[..., None]
        sides.append(high - low)
    angle = torch.rad2deg(torch.atan2(0 - y, x))  # 0 - y is no negative zero
    return torch.cat([middle, torch.stack([*sides, angle], -1)], -1)


def _around(quads: Tensor) -> Tensor:
    """Returns the upright boxes around four corners."""
    corners = quads.unflatten(-1, (4, 2))
    return torch.cat([corners.amin(-2), corners.amax(-2)], -1)
