"""ImageClassifier: augmentation or preprocessing followed by a backbone, as one module."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
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
from lightning_modules.saved import use_whole_checkpoints
from lightning_modules.schedules import INTERVALS, scheduled, without_leftovers
from lightning_modules.sharding import shard

TOP5_FROM = 20
"""Smallest number of classes for which top-5 accuracy is reported; with fewer classes it says little."""


class ImageClassifier(pl.LightningModule):
    """Classify uint8 images; augment them in training and preprocess them otherwise.

    Args:
        backbone: network, (B, C, H, W) float -> (B, num_classes) logits.
        augment: a pipeline or a list of layers. Its output must be what the backbone expects, so it must include
            Normalize.
        preprocess: the counterpart of `augment` for evaluation.
        num_classes: number of classes in the data.
        input_size: (height, width) in pixels, or one number for both, that augment and preprocess must deliver.
        label_smoothing: share of the label that is spread over all classes, in [0, 1].
        optimizer: function that builds an optimizer from parameters; None means AdamW with a learning rate of 1e-3.
        scheduler: function that builds a torch or timm schedule from the optimizer; see
            `lightning_modules.schedules.scheduled`. None keeps the learning rate constant.
        scheduler_interval: unit that the scheduler counts: "step" (of the optimizer) or "epoch".
        decay_all: apply the optimizer's weight decay to biases and norms too.
        seed: seed of the pipeline if `augment` is a list.
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
        self.save_hyperparameters("num_classes", "label_smoothing", "decay_all")  # checkpoints hold plain values only
        self.backbone = backbone.to(memory_format=torch.channels_last)  # the memory format of the images
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
        """Map uint8 images of any size, (B, C, H, W) or packed, to logits (B, num_classes)."""
        batch = images if isinstance(images, A.Batch) else A.Batch(images)
        return self._logits(self.augmented(batch) if self.training else self.preprocessed(batch))

    if TYPE_CHECKING:  # torch declares no type for calls of modules

        def __call__(self, images: Tensor | A.PackedImages | A.Batch) -> Tensor: ...

    def augmented(self, batch: A.Batch, noise: Tensor | None = None) -> A.Batch:
        """Return the augmented batch that the backbone sees in this epoch, or with the given noise (B, draws).

        If the pipeline mixes images, labels become (B, num_classes).
        """
        if self.mixes and batch.label is not None and not batch.label.is_floating_point():
            batch = batch.replace(label=F.one_hot(batch.label, self.num_classes).float())
        return self.augment(batch, noise, epoch=self.current_epoch)

    def preprocessed(self, batch: A.Batch) -> A.Batch:
        """Return the batch that the backbone sees in evaluation."""
        return self.preprocess(batch)

    def _logits(self, batch: A.Batch) -> Tensor:
        image = dense(batch.image)
        if not torch.is_autocast_enabled(image.device.type):
            image = image.to(self.dtype)  # the dtype of the weights, for precision="bf16-true"
        return self.backbone(image)

    def training_losses(self, batch: A.Batch) -> Tensor:
        """Return the loss of each sample (B,), after augmentation."""
        batch = self.augmented(batch)
        return F.cross_entropy(
            self._logits(batch).float(), known(batch.label), reduction="none", label_smoothing=self.label_smoothing
        )

    def training_step(self, batch: A.Batch) -> dict[str, Tensor]:
        """Return the loss, and for callbacks the detached loss of each sample (B,)."""
        losses = self.training_losses(batch)
        loss = losses.mean()
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch))
        return {"loss": loss, "losses": losses.detach()}

    def validation_step(self, batch: A.Batch) -> dict[str, Tensor]:
        return self._evaluate(batch, "val")

    def test_step(self, batch: A.Batch) -> dict[str, Tensor]:
        return self._evaluate(batch, "test")

    def _evaluate(self, batch: A.Batch, split: str) -> dict[str, Tensor]:
        """Update the metrics, and return the loss of each sample (B,) for callbacks.

        Metrics are synchronised once, at the end of the epoch, so counts are exact for any number of processes.
        """
        logits, label = self._logits(self.preprocessed(batch)).float(), known(batch.label)
        loss = F.cross_entropy(logits, label, ignore_index=IGNORED, reduction="none")
        self.losses[split].update(loss, (label != IGNORED).float())
        self.accuracies[split].update(logits, label)
        self.log(f"{split}/loss", self.losses[split])
        self.log_dict(self.accuracies[split], prog_bar=True)
        return {"losses": loss.detach()}

    def setup(self, stage: str) -> None:
        use_whole_checkpoints(self.trainer)
        data = data_of(self.trainer)
        if data is not None:
            self.planned_batch = data.batch_size
            self._check(data)

    def configure_model(self) -> None:
        if self.device_mesh is not None:  # trainer=fsdp
            shard(self, self.backbone, self.device_mesh["data_parallel"])

    def on_train_start(self) -> None:
        data = data_of(self.trainer)
        if data is not None:
            data.resume()

    def _check(self, data: ImageDataModule) -> None:
        """Run a few training images through the model, and raise a one-sentence error if something does not fit."""
        check_classes(self.num_classes, data.num_classes)
        batch = data.example()
        with torch.no_grad(), torch.compiler.set_stance("force_eager"):  # one call does not justify a compilation
            self.augment.train()
            check_images("augment", self.augmented, batch, self.input_size)
            images = check_images("preprocess", self.preprocessed, batch, self.input_size)
            check_backbone(self.backbone, images[:2].to(self.dtype), self.num_classes)
            alone = min(data.batch_size, len(data.splits.train)) == 1 and self.trainer.world_size == 1
            if alone and self.trainer.state.fn == TrainerFn.FITTING:
                check_single_image(self.backbone, images[:1].to(self.dtype))

    def on_fit_start(self) -> None:
        planned = self.planned_batch
        if planned is not None and known(data_of(self.trainer)).batch_size != planned:  # changed by BatchSizeFinder
            self.trainer.strategy.setup_optimizers(self.trainer)  # the schedule gets a new length

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        check_weights(self.trainer, self.backbone)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if "current_model_state" in checkpoint and self.trainer.state.fn != TrainerFn.FITTING:
            # WeightAveraging would test the raw weights, but the averaged weights are the validated ones
            checkpoint["current_model_state"] = checkpoint["state_dict"]
        if "state_dict" not in checkpoint:  # FSDP has loaded the weights already
            return
        saved, own = ({n: tuple(v.shape) for n, v in d.items()} for d in (checkpoint["state_dict"], self.state_dict()))
        differing = sorted(name for name in saved.keys() | own.keys() if saved.get(name) != own.get(name))
        if differing:
            name = differing[0]
            raise UserError(
                f"the checkpoint belongs to another model: {len(differing)} weights differ, such as {name} "
                f"({saved.get(name)} there, {own.get(name)} here); use the settings it was trained with."
            )

    def new_optimizer(self) -> Optimizer:
        """Return an optimizer of all trainable parameters."""
        with _one_sentence_about("optimizer"):
            return without_leftovers(self.make_optimizer or AdamW, AdamW)(self._parameter_groups())

    def configure_optimizers(self) -> Any:
        optimizer = self.new_optimizer()
        if self.make_scheduler is None:
            return optimizer
        with _one_sentence_about("scheduler"):
            schedule = scheduled(self.make_scheduler, optimizer, self, self.scheduler_interval)
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def lr_scheduler_step(self, scheduler: LRScheduler | TimmScheduler, metric: Any) -> None:
        try:
            if not isinstance(scheduler, TimmScheduler):
                super().lr_scheduler_step(scheduler, metric)
            elif scheduler.t_in_epochs:
                scheduler.step(self.current_epoch + 1)
            else:
                scheduler.step_update(self.trainer.global_step)
        except ValueError as error:  # OneCycleLR past its end, in a run resumed with more epochs
            raise UserError(f"the learning rate schedule cannot continue: {error}") from error

    def _parameter_groups(self) -> list[dict[str, Any]]:
        """Group the parameters: biases and norms get no weight decay, all others the optimizer's own."""
        if self.decay_all:
            return [{"params": [p for p in self.parameters() if p.requires_grad]}]
        # named by timm's networks, for example embeddings
        named: set[str] = getattr(self.backbone, "no_weight_decay", set)()
        exempt = {f"backbone.{name}" for name in named}
        groups = param_groups_weight_decay(self, weight_decay=1.0, no_weight_decay_list=exempt)
        return [group if group["weight_decay"] == 0 else {"params": group["params"]} for group in groups]


@contextmanager
def _one_sentence_about(group: str) -> Iterator[None]:
    """Turn an error about the user's arguments into one sentence that names the group of settings."""
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        unknown = re.search(r"unexpected keyword argument '(\w+)'", str(error))
        remedy = f"; remove it with ~{group}.{unknown[1]}" if unknown else ""
        raise UserError(f"the optimizer or its scheduler cannot be created: {error}{remedy}") from error


class MeanLoss(MeanMetric):
    """Mean loss over all samples; NaN if any loss is NaN.

    MeanMetric leaves out NaN values and waits for the device in every step to find them; with nan_strategy="disable"
    it ignores the weights.
    """

    def update(self, value: float | Tensor, weight: float | Tensor | None = None) -> None:
        """Add losses (B,) with weights (B,), by default 1; the weight is 0 for rows that only pad a batch."""
        losses = torch.as_tensor(value)
        weights = torch.ones_like(losses) if weight is None else torch.as_tensor(weight).expand_as(losses)
        self.mean_value += (losses * weights).sum()
        self.weight += weights.sum()


def _accuracies(split: str, num_classes: int) -> MetricCollection:
    """Return top-1 accuracy, and top-5 if there are enough classes; rows labelled IGNORED do not count."""
    tops = {f"{split}/acc": 1} | ({f"{split}/acc_top5": 5} if num_classes >= TOP5_FROM else {})
    # the data module checks the labels once; a check here would wait for the device in every step
    made: dict[str, Metric | MetricCollection] = {
        name: MulticlassAccuracy(num_classes, top_k=k, average="micro", ignore_index=IGNORED, validate_args=False)
        for name, k in tops.items()
    }
    return MetricCollection(made)


def model_of(module: pl.LightningModule) -> ImageClassifier:
    """Return a callback's module, which in this trainer is an ImageClassifier."""
    return cast(ImageClassifier, module)


def _pair(size: Sequence[int]) -> tuple[int, int]:
    """Return (height, width)."""
    return cast("tuple[int, int]", tuple(size))
