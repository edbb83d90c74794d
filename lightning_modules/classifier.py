"""ImageClassifier: augmentation or preprocessing, then a backbone, as one module."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from pytorch_lightning.trainer.states import TrainerFn
from timm.optim import param_groups_weight_decay
from timm.scheduler.scheduler import Scheduler as TimmScheduler
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics import MeanMetric, Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy

import augment as A
from augment.data.known import NamedModules, dense, known
from lightning_modules.checks import check_backbone, check_classes, check_images, check_single_image
from lightning_modules.datamodule import ImageDataModule, data_of
from lightning_modules.errors import UserError
from lightning_modules.finite import check_weights
from lightning_modules.image_sets import IGNORED
from lightning_modules.schedules import INTERVALS, scheduled, without_leftovers

TOP5_FROM = 20
"""Top-5 accuracy is reported from this number of classes on; with fewer it says little."""


class ImageClassifier(pl.LightningModule):
    """Classifies uint8 images, which it augments in training and preprocesses otherwise.

    Args:
        backbone: (B, C, H, W) float -> (B, num_classes) logits.
        augment: a pipeline, or its layers; ends with what the backbone expects, so it contains Normalize.
        preprocess: the same for evaluation.
        num_classes: as many as the data has.
        input_size: (height, width) or one number for both, in pixels: what augment and preprocess must deliver.
        label_smoothing: share of the label that is spread over all classes, in [0, 1].
        optimizer: makes one from parameters; AdamW with a learning rate of 1e-3 if None.
        scheduler: makes one of torch or timm from the optimizer; see `lightning_modules.schedules.scheduled`. None
            keeps the learning rate constant.
        scheduler_interval: what the scheduler counts: "step", of the optimizer, or "epoch".
        decay_all: apply the optimizer's weight decay to biases and norms too.
        seed: of the pipeline, where `augment` is a list.
    """

    def __init__(
        self,
        backbone: nn.Module,
        augment: A.Pipeline | list[A.Layer],
        preprocess: A.Preprocess,
        num_classes: int,
        input_size: int | Sequence[int],
        label_smoothing: float = 0.0,
        optimizer: Callable[[Iterable], Optimizer] | None = None,
        scheduler: Callable[[Optimizer], LRScheduler] | None = None,
        decay_all: bool = False,
        seed: int = 0,
        scheduler_interval: str = "step",
    ) -> None:
        super().__init__()
        if scheduler_interval not in INTERVALS:
            raise UserError(f"ImageClassifier: scheduler_interval={scheduler_interval!r} must be 'step' or 'epoch'.")
        if not 0 <= label_smoothing <= 1:
            raise UserError(f"ImageClassifier: label_smoothing={label_smoothing} must lie within [0, 1].")
        self.save_hyperparameters("num_classes", "label_smoothing", "decay_all")  # primitives: they are in checkpoints
        self.backbone = backbone.to(memory_format=torch.channels_last)  # the order in which the images come
        self.augment = augment if isinstance(augment, A.Pipeline) else A.Pipeline(*augment, seed=seed)
        self.preprocess = preprocess
        self.num_classes = num_classes
        self.input_size = (input_size, input_size) if isinstance(input_size, int) else _pair(input_size)
        self.label_smoothing = label_smoothing
        self.make_optimizer, self.make_scheduler = optimizer, scheduler
        self.decay_all, self.scheduler_interval = decay_all, scheduler_interval
        self.planned_batch: int | None = None
        self.mixes = any(isinstance(leaf, A.Mix) for leaf in self.augment.leaves())
        self.losses: NamedModules[MeanLoss] = NamedModules({split: MeanLoss() for split in ("val", "test")})
        self.accuracies: NamedModules[MetricCollection] = NamedModules(
            {split: _accuracies(split, num_classes) for split in ("val", "test")}
        )

    def forward(self, images: Tensor | A.PackedImages | A.Batch) -> Tensor:
        """uint8 images of any size, (B, C, H, W) or packed -> logits (B, num_classes)."""
        batch = images if isinstance(images, A.Batch) else A.Batch(images)
        return self._logits(self.augmented(batch) if self.training else self.preprocessed(batch))

    if TYPE_CHECKING:  # to torch, a call of a module gives anything

        def __call__(self, images: Tensor | A.PackedImages | A.Batch) -> Tensor: ...

    def augmented(self, batch: A.Batch, noise: Tensor | None = None) -> A.Batch:
        """What the backbone sees of a batch in this epoch, or with given noise (B, draws).

        Labels become (B, num_classes) if images are mixed.
        """
        if self.mixes and batch.label is not None and not batch.label.is_floating_point():
            batch = batch.replace(label=F.one_hot(batch.label, self.num_classes).float())
        return self.augment(batch, noise, epoch=self.current_epoch)

    def preprocessed(self, batch: A.Batch) -> A.Batch:
        """What the backbone sees of a batch in evaluation."""
        return self.preprocess(batch)

    def _logits(self, batch: A.Batch) -> Tensor:
        image = dense(batch.image)
        if not torch.is_autocast_enabled(image.device.type):
            image = image.to(self.dtype)  # of the weights, for precision="bf16-true"
        return self.backbone(image)

    def training_step(self, batch: A.Batch) -> dict[str, Tensor]:
        """The loss, and for callbacks each sample's (B,) without a gradient."""
        batch = self.augmented(batch)
        smoothing = self.label_smoothing
        losses = F.cross_entropy(
            self._logits(batch).float(), known(batch.label), reduction="none", label_smoothing=smoothing
        )
        loss = losses.mean()
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch))
        return {"loss": loss, "losses": losses.detach()}

    def validation_step(self, batch: A.Batch) -> dict[str, Tensor]:
        return self._evaluate(batch, "val")

    def test_step(self, batch: A.Batch) -> dict[str, Tensor]:
        return self._evaluate(batch, "test")

    def _evaluate(self, batch: A.Batch, split: str) -> dict[str, Tensor]:
        """For callbacks each sample's loss (B,).

        Metrics are synchronised once, at the end of the epoch: an exact count on any number of processes.
        """
        logits, label = self._logits(self.preprocessed(batch)).float(), known(batch.label)
        loss = F.cross_entropy(logits, label, ignore_index=IGNORED, reduction="none")
        self.losses[split].update(loss, (label != IGNORED).float())
        self.accuracies[split].update(logits, label)
        self.log(f"{split}/loss", self.losses[split])
        self.log_dict(self.accuracies[split], prog_bar=True)
        return {"losses": loss.detach()}

    def setup(self, stage: str) -> None:
        data = data_of(self.trainer)
        if data is not None:
            self.planned_batch = data.batch_size
            self._check(data)

    def on_train_start(self) -> None:
        data = data_of(self.trainer)
        if data is not None:
            data.resume()

    def _check(self, data: ImageDataModule) -> None:
        """Sends a few training images through the model, to say in one sentence what does not fit."""
        check_classes(self.num_classes, data.num_classes)
        batch = data.example()
        with torch.no_grad(), torch.compiler.set_stance("force_eager"):  # not worth a compilation
            self.augment.train()
            check_images("augment", self.augmented, batch, self.input_size)
            images = check_images("preprocess", self.preprocessed, batch, self.input_size)
            check_backbone(self.backbone, images[:2].to(self.dtype), self.num_classes)
            alone = min(data.batch_size, len(data.splits.train)) == 1 and self.trainer.world_size == 1
            if alone and self.trainer.state.fn == TrainerFn.FITTING:
                check_single_image(self.backbone, images[:1].to(self.dtype))

    def on_fit_start(self) -> None:
        data = data_of(self.trainer)
        if self.planned_batch is not None and known(data).batch_size != self.planned_batch:  # found by BatchSizeFinder
            self.trainer.strategy.setup_optimizers(self.trainer)  # for a schedule of the new length

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        check_weights(self.trainer, self.backbone)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if "current_model_state" in checkpoint and self.trainer.state.fn != TrainerFn.FITTING:
            # WeightAveraging would test the weights that it has averaged; the average is what was validated
            checkpoint["current_model_state"] = checkpoint["state_dict"]
        saved, own = ({n: tuple(v.shape) for n, v in d.items()} for d in (checkpoint["state_dict"], self.state_dict()))
        differing = sorted(name for name in saved.keys() | own.keys() if saved.get(name) != own.get(name))
        if differing:
            name = differing[0]
            raise UserError(
                f"the checkpoint is of another model: {len(differing)} weights differ, such as {name} "
                f"({saved.get(name)} there, {own.get(name)} here); give the settings it was trained with."
            )

    def configure_optimizers(self) -> Any:
        group = "optimizer"
        try:
            optimizer = without_leftovers(self.make_optimizer or AdamW, AdamW)(self._parameter_groups())
            if self.make_scheduler is None:
                return optimizer
            group = "scheduler"
            schedule = scheduled(self.make_scheduler, optimizer, self, self.scheduler_interval)
        except (ValueError, TypeError, LookupError, AttributeError) as error:  # of their arguments, the user's
            unknown = re.search(r"unexpected keyword argument '(\w+)'", str(error))
            remedy = f"; leave it out by ~{group}.{unknown[1]}" if unknown else ""
            raise UserError(f"the optimizer or its scheduler cannot be made: {error}{remedy}") from error
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def lr_scheduler_step(self, scheduler: LRScheduler | TimmScheduler, metric: Any) -> None:
        try:
            if not isinstance(scheduler, TimmScheduler):
                super().lr_scheduler_step(scheduler, metric)
            elif scheduler.t_in_epochs:
                scheduler.step(self.current_epoch + 1)
            else:
                scheduler.step_update(self.trainer.global_step)
        except ValueError as error:  # OneCycleLR after its end, in a run that was continued with more epochs
            raise UserError(f"the schedule of the learning rate cannot go on: {error}") from error

    def _parameter_groups(self) -> list[dict[str, Any]]:
        """All parameters, biases and norms without weight decay; the others take what the optimizer is set to."""
        if self.decay_all:
            return [{"params": [p for p in self.parameters() if p.requires_grad]}]
        named: set[str] = getattr(
            self.backbone, "no_weight_decay", set
        )()  # by timm's networks: embeddings and the like
        exempt = {f"backbone.{name}" for name in named}
        groups = param_groups_weight_decay(self, weight_decay=1.0, no_weight_decay_list=exempt)
        return [group if group["weight_decay"] == 0 else {"params": group["params"]} for group in groups]


class MeanLoss(MeanMetric):
    """Mean of the losses of all samples; NaN if one of them is.

    MeanMetric leaves out what is NaN, asks the device in every step whether something is, and with
    nan_strategy="disable" ignores the weights.
    """

    def update(self, value: float | Tensor, weight: float | Tensor | None = None) -> None:
        """Losses (B,), and their weight (B,): 0 for rows that only pad a batch, 1 for all if not given."""
        losses = torch.as_tensor(value)
        weights = torch.ones_like(losses) if weight is None else torch.as_tensor(weight).expand_as(losses)
        self.mean_value += (losses * weights).sum()
        self.weight += weights.sum()


def _accuracies(split: str, num_classes: int) -> MetricCollection:
    """Top-1, and top-5 where there are enough classes; rows labelled IGNORED do not count."""
    tops = {f"{split}/acc": 1} | ({f"{split}/acc_top5": 5} if num_classes >= TOP5_FROM else {})
    # arguments are checked once in the data module; here it would cost a transfer from the device in every step
    made: dict[str, Metric | MetricCollection] = {
        name: MulticlassAccuracy(num_classes, top_k=k, average="micro", ignore_index=IGNORED, validate_args=False)
        for name, k in tops.items()
    }
    return MetricCollection(made)


def model_of(module: pl.LightningModule) -> ImageClassifier:
    """What a callback is given, which in this trainer is an ImageClassifier."""
    return cast(ImageClassifier, module)


def _pair(size: Sequence[int]) -> tuple[int, int]:
    """(height, width)."""
    return cast("tuple[int, int]", tuple(size))
