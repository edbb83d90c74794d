"""Export of a pipeline, or of a model that starts with one, as a program of torch's own operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from augment.core import checks
from augment.core.layer import Layer
from augment.draws.arguments import whole

if TYPE_CHECKING:
    from torch.export import ExportedProgram

LAYOUTS = ("bchw", "bhwc")

_MOST_IMAGES = 2**16
_LONGEST_SIDE = 2**16
_EXAMPLE = (211, 307)
"""Height and width of the images that are traced for any size: primes, which no layer has as a size of its own."""


class _Exported(nn.Module):
    """A model that takes images with the channels first or last, and noise if it draws."""

    def __init__(self, model: nn.Module, channels_last: bool) -> None:
        super().__init__()
        self.model, self.channels_last = model, channels_last

    def forward(self, images: Tensor, noise: Tensor | None = None) -> Tensor:
        images = images.permute(0, 3, 1, 2) if self.channels_last else images
        return self.model(images) if noise is None else self.model(images, noise)


def export_program(
    model: nn.Module, size: int | Sequence[int] | None = None, channels: int = 3, layout: str = "bchw"
) -> ExportedProgram:
    """Exports a model that takes images, such as `nn.Sequential(Preprocess(224), backbone)`, for any batch size.

    The program holds torch's own operators only: it runs without `augment`, and `torch.export.save`,
    `torch.onnx.export(program, dynamo=True)` and AOTInductor take it. A layer of `augment` in training mode takes its
    noise (B, draws) as a second input; everything else is exported in evaluation mode, and its mode stays.

    Args:
        model: takes uint8 images (B, C, H, W).
        size: (height, width) of the images in pixels or one number for both. None makes a program for all sizes, if
            the model brings them to one size as `Preprocess` does. Such a program multiplies by matrices of the size
            of the image, which is exact and costs more for large images.
        channels: number of channels.
        layout: "bchw", or "bhwc" for a program that takes images (B, H, W, C), as decoders return them.

    Raises:
        ValueError: an argument is none of the above, or the model cannot be exported for any batch or image size.

    Example:
        >>> model = torch.nn.Sequential(A.Preprocess(8, 0.5, 0.5), torch.nn.Flatten(), torch.nn.Linear(192, 2))
        >>> program = A.export_program(model)
        >>> program.module()(torch.zeros(3, 3, 20, 30, dtype=torch.uint8)).shape
        torch.Size([3, 2])
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"export_program: model is {checks.kind_of(model)}; it must be a torch.nn.Module.")
    height, width = _EXAMPLE if size is None else checks.image_size("export_program", size)
    channels = whole("export_program", "channels", channels, 1, 1024)
    channels_last = checks.one_of("export_program", "layout", layout, LAYOUTS) == "bhwc"
    device = next((tensor.device for tensor in (*model.parameters(), *model.buffers())), torch.device("cpu"))

    batch = torch.export.Dim("batch", min=1, max=_MOST_IMAGES)
    sides = (
        {} if size is not None else {side: torch.export.Dim(side, max=_LONGEST_SIDE) for side in ("height", "width")}
    )
    axes = (1, 2) if channels_last else (2, 3)
    shape = (2, height, width, channels) if channels_last else (2, channels, height, width)
    inputs, dynamic = [torch.zeros(shape, dtype=torch.uint8, device=device)], [{0: batch}]
    dynamic[0] |= dict(zip(axes, sides.values(), strict=False))
    draws = model.draws if isinstance(model, Layer) and model.training else 0
    if draws:
        inputs.append(torch.full((2, draws), 0.5, device=device))
        dynamic.append({0: batch})

    modes = {module: module.training for module in model.modules()}
    try:
        exported = _Exported(model, channels_last).train(draws > 0)
        return torch.export.export(exported, tuple(inputs), dynamic_shapes=tuple(dynamic))
    except Exception as error:
        if type(error).__name__ != "UserError":  # a class of torch without a public name
            raise
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"export_program: {type(model).__name__} works only for the size of batch or image that was traced; give "
            f"size=(height, width), and read the size of a batch from shape[0], not with len(). torch says: {reason}"
        ) from error
    finally:
        for module, training in modes.items():
            module.training = training
