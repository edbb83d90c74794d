"""Images that several tests of layers share."""

import torch


def noisy(*shape: int, seed: int = 0) -> torch.Tensor:
    """Bytes without structure, not every level among them, brighter to the right."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(shape, generator=generator) * 0.5 + torch.linspace(0.1, 0.4, shape[-1])
    return (noise * 255).round().to(torch.uint8)


def bytes_of(image: torch.Tensor) -> torch.Tensor:
    """Floats as torchvision makes bytes of them after an operator: cut off, after undoing the rounding of a float."""
    return (image * 255 + 1e-3).clamp(0, 255).floor().to(torch.int16)
