"""A trial of a layer's own function, which finds parameters that broadcast along a wrong axis.

A parameter is (B,), and a plane is (B, H, W). Their sum changes columns instead of samples if B equals W, and fails
otherwise. A trial with sides that differ from each other therefore always finds the mistake.
"""

from __future__ import annotations

import re
from typing import Any

import torch

_COUNT, _SIDES = 2, (3, 37, 41)
"""Samples, and channels, height and width: all different."""

_MISMATCH = re.compile(r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)")


def refuse_stripes(leaf: Any) -> None:
    """Runs a layer of the user's once on small black images; the library's own layers are tested elsewhere.

    Example: a `pixel` that returns `tuple(plane + params["amount"] for plane in planes)` is refused;
    `plane + params["amount"][:, None, None]` is right.

    Raises:
        ValueError: parameters do not have the dimensions of images.
    """
    function = getattr(leaf, "pixel", None) or getattr(leaf, "image", None)
    own = type(leaf).__module__.startswith("augment.")
    if own or function is None or getattr(leaf, "operator", None) is not None:
        return
    device = next(iter([*leaf.parameters(), *leaf.buffers()]), torch.empty(0)).device
    images = torch.zeros(_COUNT, *_SIDES, device=device)
    planes = hasattr(leaf, "pixel")
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            params = leaf.resolve(leaf.params(torch.full((_COUNT, leaf.own_draws), 0.5, device=device)), _SIDES[1:])
            function(images.unbind(1) if planes else images, params)
    except Exception as error:  # the layer may refuse such images, which is no mistake
        sizes = _MISMATCH.search(str(error))
        if sizes is None or str(_COUNT) not in sizes.groups() or not {*sizes.groups()} & {*map(str, _SIDES)}:
            return
        dims, shape = ("[:, None, None]", "(B, H, W)") if planes else ("[:, None, None, None]", "(B, C, H, W)")
        raise ValueError(
            f"{type(leaf).__name__}: a parameter (B,) meets {'planes' if planes else 'images'} {shape} without their "
            f"dimensions, and would change columns instead of samples; write params[name]{dims}."
        ) from error
