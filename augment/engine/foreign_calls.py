"""Calls modules of other libraries outside of every graph, because compiled code draws from its own generators."""

from collections.abc import Callable

import torch
from torch import Tensor

from augment.data.context import on_cpu
from augment.data.pixels import to_float
from augment.data.types import Bool, Float, Images
from augment.draws.noise import from_unit


@torch.compiler.disable
def called(module: Callable[[Tensor], Tensor], image: Images) -> Images:
    """Returns the result of a module for images (B, C, H, W); bytes are converted to fractions of 255.

    Raises:
        ValueError: it returns anything but images of the same shape.
    """
    out = module(image.contiguous())  # the draws of a module may depend on the memory order of its input
    if isinstance(out, Tensor) and out.shape == image.shape:
        return to_float(out).to(image.dtype)
    name = getattr(module, "__name__", type(module).__name__)
    got = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
    raise ValueError(f"Opaque: {name} must return images of its input's shape {tuple(image.shape)}; it returned {got}.")


@torch.compiler.disable
def by_image(
    module: Callable[[Tensor], Tensor], image: Images, key: Float[Tensor, "b 2"], gate: Bool[Tensor, " b"] | None
) -> Images:
    """Calls a module once per image, with torch's global generators seeded by the sample's own uniforms.

    Args:
        module: the module or function to call.
        image: (B, C, H, W).
        key: (B, 2) uniforms.
        gate: (B,) which images to call it for; None for all.
    """
    device, outs = image.device, []
    chosen = [True] * len(image) if gate is None else gate.tolist()
    others = {"devices": []} if on_cpu(device) else {"devices": [device], "device_type": device.type}
    with torch.random.fork_rng(**others):
        for row, seed, wanted in zip(image.split(1), _seeds(key), chosen, strict=True):
            _seed_generators(seed, device)
            outs.append(called(module, row) if wanted else row)
    return torch.cat(outs)


def _seeds(key: Float[Tensor, "b 2"]) -> list[int]:
    """Returns a seed of 48 bits per sample."""
    high, low = from_unit(key).unbind(1)
    return ((high << 24) + low).tolist()


def _seed_generators(seed: int, device: torch.device) -> None:
    """Seeds the generators of the CPU and of one device, which are the ones that `fork_rng` restores."""
    torch.default_generator.manual_seed(seed)
    if not on_cpu(device):
        with torch.get_device_module(device).device(device):
            torch.get_device_module(device).manual_seed(seed)
