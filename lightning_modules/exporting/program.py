"""A classifier as one program: preprocessing, network and, if wanted, probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

import augment as A
from lightning_modules.errors import UserError

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from lightning_modules.classifier import ImageClassifier


class ServedClassifier(nn.Module):
    """Maps uint8 images of any size to what a server answers.

    Args:
        model: the classifier, in evaluation mode.
        output: "logits" or "probabilities", which add up to 1 unless an image may have several labels.

    Example:
        >>> ServedClassifier(model, "probabilities")(images).sum(1)  # images (B, C, H, W)
        tensor([1.0000, 1.0000])
    """

    def __init__(self, model: ImageClassifier, output: str) -> None:
        super().__init__()
        self.preprocess, self.backbone = model.preprocess, model.backbone
        self.output: nn.Module = nn.Identity()
        if output == "probabilities":
            self.output = nn.Sigmoid() if model.loss.multi_label else nn.Softmax(dim=1)

    def forward(self, images: Tensor) -> Tensor:
        """Maps uint8 images (B, C, H, W) to floats (B, classes)."""
        return self.output(self.backbone(self.preprocess(images)).float())


def exported(served: ServedClassifier, channels: int, layout: str) -> ExportedProgram:
    """Return the program of a classifier, for any batch, height and width.

    Args:
        served: the classifier.
        channels: of its images.
        layout: "bchw" for images (B, C, H, W), "bhwc" for (B, H, W, C).

    Raises:
        UserError: the network works for one batch size only.

    Example:
        >>> exported(ServedClassifier(model, "logits"), 3, "bhwc").module()(images).shape  # images (2, 480, 640, 3)
        torch.Size([2, 10])
    """
    try:
        return A.export_program(served, channels=channels, layout=layout)
    except ValueError as error:
        raise UserError(f"the network cannot be exported: {error}") from error
