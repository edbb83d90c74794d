"""Calls of foreign modules, kept out of every graph: compiled code would draw from generators of its own."""

from collections.abc import Callable

import torch
from torch import Tensor

from augment.data.pixels import to_float
from augment.data.types import Bool, Float, Images
from augment.draws.noise import from_unit


@torch.compiler.disable
def called(module: Callable[[Tensor], Tensor], image: Images) -> Images:
    """What a module makes of images (B, C, H, W); bytes count as fractions of 255.

    Raises:
        ValueError: it returns anything but images of the same shape.
    """
    out = module(image.contiguous())  # what a module draws may depend on how its input lies in memory
    if isinstance(out, Tensor) and out.shape == image.shape:
        return to_float(out).to(image.dtype)
    name = getattr(module, "__name__", type(module).__name__)
    got = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
    raise ValueError(f"Opaque: {name} must return images of shape {tuple(image.shape)}, as it got; it gave {got}.")


@torch.compiler.disable
def by_image(
    module: Callable[[Tensor], Tensor], image: Images, key: Float[Tensor, "b 2"], gate: Bool[Tensor, " b"] | None
) -> Images:
    """The same image by image, each call with torch's global generators seeded by the sample's own uniforms.

    Args:
        module: what to call.
        image: (B, C, H, W).
        key: (B, 2) uniforms.
        gate: (B,) which images to call it with; None for all.
    """
    device, outs = image.device, []
    chosen = [True] * len(image) if gate is None else gate.tolist()
    others = {"devices": []} if device.type == "cpu" else {"devices": [device], "device_type": device.type}
    with torch.random.fork_rng(**others):
        for row, seed, wanted in zip(image.split(1), _seeds(key), chosen, strict=True):
            _seed_generators(seed, device)
            outs.append(called(module, row) if wanted else row)
    return torch.cat(outs)


def _seeds(key: Float[Tensor, "b 2"]) -> list[int]:
    """48 bits each."""
    high, low = from_unit(key).unbind(1)
    return ((high << 24) + low).tolist()


def _seed_generators(seed: int, device: torch.device) -> None:
    """Of the CPU and of one device, which is all that `fork_rng` was told to put back."""
    torch.default_generator.manual_seed(seed)
    if device.type != "cpu":
        with torch.get_device_module(device).device(device):
            torch.get_device_module(device).manual_seed(seed)
