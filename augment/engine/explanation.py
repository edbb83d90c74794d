"""What one sample gets, as plain data."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from augment.data.types import Size
from augment.kernels import missing


def explained(layer: Any, noise: Tensor, size: tuple[int, int]) -> dict[str, Any]:
    """What the layers do to a sample's image of a size, from its row (draws,) of noise; see `Layer.explain`."""
    current: Size = size
    described = []
    with torch.no_grad():
        for leaf, drawn in zip(layer.leaves(), layer.leaf_params(noise[None]), strict=True):
            applied = bool(drawn["gate"][0]) if "gate" in drawn else True
            quantities = leaf.describe(leaf.resolve(drawn, current))
            described.append({"layer": type(leaf).__name__, "applied": applied} | quantities)
            current = leaf.out_size(current)
    told = {"noise": noise.tolist(), "size": list(size), "layers": described}
    slow = "; ".join(f"{problem}; {remedy}" for problem, remedy in missing())
    return told | {"warning": slow} if slow else told
