"""ProgressiveResizing: trains the first epochs on smaller images."""

from __future__ import annotations

import math

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from augment.data.known import known
from lightning_modules.classifier import model_of
from lightning_modules.data.datamodule import data_of
from lightning_modules.data.size_of_epoch import SizeOfEpoch
from lightning_modules.errors import UserError
from lightning_modules.model.checks import check_backbone, check_images


class ProgressiveResizing(Callback):
    """Train on small images first and on larger ones in each further stage, which takes less time.

    Tan and Le 2021, "EfficientNetV2", algorithm 1: the stages have the same number of epochs, and the size of the
    images grows linearly from stage to stage, up to the full size in the last one. Evaluation always sees the full
    size. The size is a function of the epoch and of `trainer.max_epochs`, so a resumed run continues exactly, and
    workers that decode files no further than needed follow it. A compiled pipeline or network compiles once per stage.

    Args:
        start: size in the first stage as a share of the full size, in (0, 1]; 128 of 300 pixels in the paper.
        stages: number of stages, at least 1; 4 in the paper.
        multiple: sizes are rounded to multiples of this number of pixels, as strides and patches may need; at least 1.
    """

    def __init__(self, start: float = 0.43, stages: int = 4, multiple: int = 32) -> None:
        if not 0 < start <= 1:
            raise UserError(f"ProgressiveResizing: start={start} must lie within (0, 1], as a share of the full size.")
        if stages < 1 or multiple < 1:
            raise UserError(f"ProgressiveResizing: stages={stages} and multiple={multiple} must be at least 1.")
        self.start, self.stages, self.multiple = start, stages, multiple
        self.sizes: SizeOfEpoch | None = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        if trainer.max_epochs in (None, -1):
            raise UserError("ProgressiveResizing needs the number of epochs: give trainer.max_epochs.")
        model = model_of(pl_module)
        full = model.input_size
        names = [name for name, layer in model.augment.named_modules() if getattr(layer, "size", None) == full]
        if not names:
            raise UserError(
                f"ProgressiveResizing: augment has no layer with size={full}, such as RandomResizedCrop, whose size "
                "could change."
            )
        self.sizes = SizeOfEpoch(self._stages(full), known(trainer.max_epochs), tuple(names))
        data = data_of(trainer)
        if data is not None:
            data.size_of_epoch = self.sizes

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        model, data, sizes = model_of(pl_module), data_of(trainer), known(self.sizes)
        if data is not None and sizes.sizes[0] != model.input_size:
            sizes.apply(model.augment, 0)
            batch = data.example(2).to(model.device)
            with torch.no_grad(), torch.compiler.set_stance("force_eager"), trainer.precision_plugin.forward_context():
                images = check_images("augment", model.augmented, batch, sizes.sizes[0])
                check_backbone(model.backbone, images.to(model.dtype), model.num_classes)
        sizes.apply(model.augment, trainer.current_epoch)  # a run may continue within an epoch

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        sizes = known(self.sizes)
        sizes.apply(model_of(pl_module).augment, trainer.current_epoch)
        pl_module.log("progressive_resizing/height", float(sizes(trainer.current_epoch)[0]))

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        sizes = known(self.sizes)
        sizes.apply(model_of(pl_module).augment, sizes.epochs)

    def _stages(self, full: tuple[int, int]) -> tuple[tuple[int, int], ...]:
        """Return (height, width) of each stage."""
        last = max(self.stages - 1, 1)
        shares = [self.start + (1 - self.start) * stage / last for stage in range(self.stages - 1)]
        return *((self._rounded(full[0], share), self._rounded(full[1], share)) for share in shares), full

    def _rounded(self, side: int, share: float) -> int:
        """Return a share of a side as a multiple of `multiple`, at least one and at most the side."""
        return min(side, max(self.multiple, self.multiple * math.floor(side * share / self.multiple + 0.5)))
