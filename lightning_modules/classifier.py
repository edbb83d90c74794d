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
from timm.scheduler.scheduler import Scheduler as TimmScheduler
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics import MetricCollection

import augment as A
from augment.data.known import NamedModules, dense, known
from lightning_modules.checks import check_backbone, check_classes, check_images, check_single_image
from lightning_modules.datamodule import ImageDataModule, data_of
from lightning_modules.errors import UserError
from lightning_modules.finite import check_weights
from lightning_modules.image_sets import counted
from lightning_modules.losses import CrossEntropy, Loss
from lightning_modules.metrics import MeanLoss, class_metrics, label_metrics
from lightning_modules.parameter_groups import parameter_groups, with_scaled_rates
from lightning_modules.resumed_schedule import continue_schedule
from lightning_modules.saved import use_whole_checkpoints
from lightning_modules.schedules import INTERVALS, scheduled, without_leftovers
from lightning_modules.sharding import shard

DATA = "data_fingerprint"
"""Key of a checkpoint for the description of the data it was trained on."""


class ImageClassifier(pl.LightningModule):
    """Classify uint8 images; augment them in training and preprocess them otherwise.

    Args:
        backbone: network, (B, C, H, W) float -> (B, num_classes) logits.
        augment: a pipeline or a list of layers. Its output must be what the backbone expects, so it must include
            Normalize.
        preprocess: the counterpart of `augment` for evaluation.
        num_classes: number of classes in the data.
        input_size: (height, width) in pixels, or one number for both, that augment and preprocess must deliver.
        optimizer: function that builds an optimizer from parameters; None means AdamW with a learning rate of 1e-3.
        scheduler: function that builds a torch or timm schedule from the optimizer; see
            `lightning_modules.schedules.scheduled`. None keeps the learning rate constant.
        scheduler_interval: unit that the scheduler counts: "step" (of the optimizer) or "epoch".
        decay_all: apply the optimizer's weight decay to biases and norms too.
        seed: seed of the pipeline if `augment` is a list.
        loss: loss of each sample; None means cross-entropy.
        layer_decay: factor of the learning rate from each layer of the network to the one before it, in (0, 1]; None
            gives all layers the same rate.
        compile: compile the backbone with torch.compile; names of weights stay the same.
    """

    def __init__(
        self,
        backbone: nn.Module,
        augment: A.Pipeline | list[A.Layer],
        preprocess: A.Preprocess,
        num_classes: int,
        input_size: int | Sequence[int],
        optimizer: Callable[[Iterable], Optimizer] | None = None,
        scheduler: Callable[[Optimizer], LRScheduler] | None = None,
        decay_all: bool = False,
        seed: int = 0,
        scheduler_interval: str = "step",
        loss: Loss | None = None,
        layer_decay: float | None = None,
        compile: bool = False,
    ) -> None:
        super().__init__()
        if scheduler_interval not in INTERVALS:
            raise UserError(f"ImageClassifier: scheduler_interval={scheduler_interval!r} must be 'step' or 'epoch'.")
        if layer_decay is not None and not 0 < layer_decay <= 1:
            raise UserError(f"ImageClassifier: layer_decay={layer_decay} must lie within (0, 1], or be null.")
        self.save_hyperparameters("num_classes", "decay_all", "layer_decay")  # checkpoints hold plain values only
        self.backbone = backbone.to(memory_format=torch.channels_last)  # the memory format of the images
        if compile:
            self.backbone.compile()  # in place, unlike torch.compile, which would rename the weights
        self.augment = augment if isinstance(augment, A.Pipeline) else A.Pipeline(*augment, seed=seed)
        self.preprocess = preprocess
        self.num_classes = num_classes
        self.input_size = (input_size, input_size) if isinstance(input_size, int) else _pair(input_size)
        self.loss = CrossEntropy() if loss is None else loss
        self.make_optimizer, self.make_scheduler = optimizer, scheduler
        self.decay_all, self.layer_decay, self.scheduler_interval = decay_all, layer_decay, scheduler_interval
        self.planned_batch: int | None = None
        self.mixes = any(isinstance(leaf, A.Mix) for leaf in self.augment.leaves())
        self.losses: NamedModules[MeanLoss] = NamedModules({split: MeanLoss() for split in ("val", "test")})
        metrics = label_metrics if self.loss.multi_label else class_metrics
        self.accuracies: NamedModules[MetricCollection] = NamedModules(
            {split: metrics(split, num_classes) for split in ("val", "test")}
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
        return self.loss(self._logits(batch).float(), batch)

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
        loss = self.loss.evaluated(logits, label)
        self.losses[split].update(loss, counted(label).float())
        # probabilities, because torchmetrics applies a sigmoid only to logits outside [0, 1]
        self.accuracies[split].update(logits.sigmoid() if self.loss.multi_label else logits, label.long())
        self.log(f"{split}/loss", self.losses[split])
        self.log_dict(self.accuracies[split], prog_bar=True)
        return {"losses": loss.detach()}

    def setup(self, stage: str) -> None:
        use_whole_checkpoints(self.trainer)
        data = data_of(self.trainer)
        if data is not None:
            self.planned_batch = data.batch_size
            self._check(data)
        if stage == "fit":
            self.loss.prepare(self.num_classes, data)

    def configure_model(self) -> None:
        if self.device_mesh is not None:  # trainer=fsdp
            shard(self, self.backbone, self.device_mesh["data_parallel"])

    def on_train_start(self) -> None:
        data = data_of(self.trainer)
        if data is not None:
            data.resume()
        if self.make_scheduler is not None:
            continue_schedule(self, self.make_scheduler, self.scheduler_interval)

    def on_train_epoch_end(self) -> None:
        data = data_of(self.trainer)
        if data is not None:
            data.tell_unreadable()

    on_validation_epoch_end = on_test_epoch_end = on_train_epoch_end

    def _check(self, data: ImageDataModule) -> None:
        """Run a few training images through the model, and raise a one-sentence error if something does not fit."""
        check_classes(self.num_classes, data.num_classes)
        self.loss.check(data.splits.train.labels, self.num_classes)
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
        data = data_of(self.trainer)
        if data is not None:
            checkpoint[DATA] = data.fingerprint

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        trainer = self._attached()
        fitting = trainer is not None and trainer.state.fn == TrainerFn.FITTING
        data = data_of(trainer) if trainer is not None and fitting else None
        if data is not None and DATA in checkpoint:
            data.refuse_changes(checkpoint[DATA])
        if "current_model_state" in checkpoint and not fitting:
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

    def _attached(self) -> pl.Trainer | None:
        """Return the trainer, or None where there is none, as when a checkpoint is loaded elsewhere."""
        try:
            return self.trainer
        except RuntimeError:
            return None

    def new_optimizer(self) -> Optimizer:
        """Return an optimizer of all trainable parameters."""
        with _one_sentence_about("optimizer"):
            groups = parameter_groups(self, self.backbone, self.decay_all, self.layer_decay)
            return with_scaled_rates(without_leftovers(self.make_optimizer or AdamW, AdamW)(groups))

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


@contextmanager
def _one_sentence_about(group: str) -> Iterator[None]:
    """Turn an error about the user's arguments into one sentence that names the group of settings."""
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        unknown = re.search(r"unexpected keyword argument '(\w+)'", str(error))
        remedy = f"; remove it with ~{group}.{unknown[1]}" if unknown else ""
        raise UserError(f"the optimizer or its scheduler cannot be created: {error}{remedy}") from error


def model_of(module: pl.LightningModule) -> ImageClassifier:
    """Return a callback's module, which in this trainer is an ImageClassifier."""
    return cast(ImageClassifier, module)


def _pair(size: Sequence[int]) -> tuple[int, int]:
    """Return (height, width)."""
    return cast("tuple[int, int]", tuple(size))
