"""ImageClassifier: augmentation or preprocessing followed by a backbone, as one module."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
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
from lightning_modules.data.datamodule import data_of
from lightning_modules.data.image_sets import counted
from lightning_modules.errors import UserError
from lightning_modules.model.checks import check_model, check_options
from lightning_modules.model.description import DESCRIPTION, adopt, described
from lightning_modules.model.finite_weights import check_weights
from lightning_modules.model.losses import CrossEntropy, Loss
from lightning_modules.model.metrics import MeanLoss, class_metrics, label_metrics
from lightning_modules.model.parameter_groups import parameter_groups, with_scaled_rates
from lightning_modules.model.resumed_schedule import continue_schedule
from lightning_modules.model.schedules import saying_what_is_wrong, scheduled, without_leftovers
from lightning_modules.model.sharding import shard
from lightning_modules.model.splits import joined, seen_in_training
from lightning_modules.model.weights import refuse_other_weights
from lightning_modules.predicting.files import FilesBatch
from lightning_modules.predicting.predict import predicted
from lightning_modules.predicting.tta import Views
from lightning_modules.saving.saved import use_whole_checkpoints

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
            `lightning_modules.model.schedules.scheduled`. None keeps the learning rate constant.
        scheduler_interval: unit that the scheduler counts: "step" (of the optimizer) or "epoch".
        decay_all: apply the optimizer's weight decay to biases and norms too.
        seed: seed of the pipeline if `augment` is a list.
        loss: loss of each sample; None means cross-entropy.
        layer_decay: factor of the learning rate from each layer of the network to the one before it, in (0, 1]; None
            gives all layers the same rate.
        compile: compile the backbone with torch.compile; names of weights stay the same.

    Attributes:
        class_names, channels, background: names of the classes, channels of the images (1 or 3), and colour behind
            transparent ones; known once a run has begun, or once the model was loaded.
        config: configuration of the run as plain data, for checkpoints; None if there is none.
        views: test-time augmentation of `predict_step`; None looks at each image once.
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
        check_options(scheduler_interval, layer_decay)
        self.save_hyperparameters("num_classes", "decay_all", "layer_decay")  # checkpoints hold plain values only
        self.backbone = backbone.to(memory_format=torch.channels_last)  # the memory format of the images
        if compile:
            self.backbone.compile()  # in place, unlike torch.compile, which would rename the weights
        self.augment = augment if isinstance(augment, A.Pipeline) else A.Pipeline(*augment, seed=seed)
        self.preprocess = preprocess
        self.num_classes = num_classes
        height, width = (input_size, input_size) if isinstance(input_size, int) else input_size
        self.input_size = (height, width)
        self.loss = CrossEntropy() if loss is None else loss
        self.make_optimizer, self.make_scheduler = optimizer, scheduler
        self.decay_all, self.layer_decay, self.scheduler_interval = decay_all, layer_decay, scheduler_interval
        self.planned_batch: int | None = None
        self.given: dict[str, Tensor] = {}  # what schedules follow besides the epoch, by sample number
        self.class_names, self.channels = [str(number) for number in range(num_classes)], 3
        self.background: str | Sequence[int] = "white"
        self.config: dict[str, Any] | None = None
        self.views: Views | None = None
        self.mixes = any(isinstance(leaf, A.Mix) for leaf in self.augment.leaves())
        self.losses: NamedModules[MeanLoss] = NamedModules({split: MeanLoss() for split in ("val", "test")})
        metrics = label_metrics if self.loss.multi_label else class_metrics
        scores = {split: metrics(split, num_classes) for split in ("val", "test")}
        self.accuracies: NamedModules[MetricCollection] = NamedModules(scores)

    def forward(self, images: Tensor | A.PackedImages | A.Batch) -> Tensor:
        """Map uint8 images of any size, (B, C, H, W) or packed, to logits (B, num_classes)."""
        batch = images if isinstance(images, A.Batch) else A.Batch(images)
        return self._logits(self.augmented(batch) if self.training else self.preprocessed(batch))

    if TYPE_CHECKING:  # torch declares no type for calls of modules

        def __call__(self, images: Tensor | A.PackedImages | A.Batch) -> Tensor: ...

    @cached_property  # which hides it from torch, because its layers are those of `augment`
    def seen(self) -> A.Pipeline | A.Views:
        """What makes the training images: `augment`, or views of each sample if the loss compares them."""
        return seen_in_training(self.augment, self.loss)

    def augmented(self, batch: A.Batch, noise: Tensor | None = None) -> A.Batch:
        """Return the augmented batch that the backbone sees in this epoch, or with the given noise (B, draws).

        If the pipeline mixes images, labels become (B, num_classes). If the loss compares views, they are one batch.
        """
        if self.mixes and batch.label is not None and not batch.label.is_floating_point():
            batch = batch.replace(label=F.one_hot(batch.label, self.num_classes).float())
        if noise is None and self.given and batch.index is not None:
            given = {name: table[batch.index % len(table)] for name, table in self.given.items()}
            noise = self.seen.noise(batch.index, self.current_epoch, device=batch.device, given=given)
        out = self.seen(batch, noise, epoch=self.current_epoch)
        return out if isinstance(out, A.Batch) else joined(out)

    def preprocessed(self, batch: A.Batch) -> A.Batch:
        """Return the batch that the backbone sees in evaluation."""
        return self.preprocess(batch)

    def _logits(self, batch: A.Batch) -> Tensor:
        """Map a batch that is augmented or preprocessed to logits (B, num_classes)."""
        image = dense(batch.image)
        if not torch.is_autocast_enabled(image.device.type):
            image = image.to(self.dtype)  # the dtype of the weights, for precision="bf16-true"
        return self.backbone(image)

    def training_losses(self, batch: A.Batch) -> tuple[Tensor, Tensor]:
        """Return the loss of each sample (B,) and the logits of its first view (B, num_classes), after augmentation."""
        batch = self.augmented(batch)
        logits = self._logits(batch).float()
        return self.loss(logits, batch), logits[: batch.count // self.loss.num_splits]

    def training_step(self, batch: A.Batch) -> dict[str, Tensor]:
        """Return the loss, and for callbacks the detached loss and logits of each sample, (B,) and (B, num_classes)."""
        losses, logits = self.training_losses(batch)
        loss = losses.mean()
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch))
        return {"loss": loss, "losses": losses.detach(), "logits": logits.detach()}

    def validation_step(self, batch: A.Batch) -> dict[str, Tensor]:
        return self._evaluate(batch, "val")

    def test_step(self, batch: A.Batch) -> dict[str, Tensor]:
        return self._evaluate(batch, "test")

    def _evaluate(self, batch: A.Batch, split: str) -> dict[str, Tensor]:
        """Update the metrics, and return the loss (B,) and the logits (B, classes) of each sample for callbacks.

        Metrics are synchronised once, at the end of the epoch, so counts are exact for any number of processes.
        """
        logits, label = self._logits(self.preprocessed(batch)).float(), known(batch.label)
        loss = self.loss.evaluated(logits, label)
        self.losses[split].update(loss, counted(label).float())
        # probabilities, because torchmetrics applies a sigmoid only to logits outside [0, 1]
        self.accuracies[split].update(logits.sigmoid() if self.loss.multi_label else logits, label.long())
        self.log(f"{split}/loss", self.losses[split])
        self.log_dict(self.accuracies[split], prog_bar=True)
        return {"losses": loss.detach(), "logits": logits.detach()}

    def probabilities(self, batch: A.Batch, views: Views | None = None) -> Tensor:
        """Return the probability of each class (B, num_classes), averaged over the views of the images if given."""
        seen = [self.preprocessed(batch)] if views is None else views(batch)
        return torch.stack([self.loss.probabilities(self._logits(view).float()) for view in seen]).mean(0)

    def predict(
        self, images: Any, tta: str | A.Pipeline = "none", tta_views: int = 8, order: str = "RGB", batch_size: int = 64
    ) -> Tensor:
        """Return the probability of each class (B, num_classes), on the CPU; see `predicting.predict.predicted`."""
        return predicted(self, images, tta, tta_views, order, batch_size)

    def predict_step(self, batch: A.Batch | FilesBatch) -> Tensor:
        return self.probabilities(batch.images if isinstance(batch, FilesBatch) else batch, self.views)

    def setup(self, stage: str) -> None:
        use_whole_checkpoints(self.trainer)
        data = data_of(self.trainer)
        if data is not None:
            self.planned_batch = data.batch_size
            check_model(self, data)
            self.class_names, self.channels = data.splits.train.classes, data.channels
            self.background = getattr(data, "background", self.background)
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

    def on_fit_start(self) -> None:
        planned = self.planned_batch
        if planned is not None and known(data_of(self.trainer)).batch_size != planned:  # changed by BatchSizeFinder
            self.trainer.strategy.setup_optimizers(self.trainer)  # the schedule gets a new length

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        check_weights(self.trainer, self.backbone)
        checkpoint[DESCRIPTION] = described(self)
        data = data_of(self.trainer)
        if data is not None:
            checkpoint[DATA] = data.fingerprint

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        trainer = self._attached()
        fitting = trainer is not None and trainer.state.fn == TrainerFn.FITTING
        data = data_of(trainer) if trainer is not None and fitting else None
        if data is not None and DATA in checkpoint:
            data.refuse_changes(checkpoint[DATA])
        if DESCRIPTION in checkpoint and (trainer is None or data_of(trainer) is None):  # otherwise the data say it
            adopt(self, checkpoint[DESCRIPTION])
        if "current_model_state" in checkpoint and not fitting:
            # WeightAveraging would test the raw weights, but the averaged weights are the validated ones
            checkpoint["current_model_state"] = checkpoint["state_dict"]
        if "state_dict" in checkpoint:  # FSDP has loaded the weights already
            refuse_other_weights(checkpoint["state_dict"], self.state_dict())

    @classmethod
    def load_from_checkpoint(
        cls, checkpoint_path: Any, map_location: Any = None, *arguments: Any, **options: Any
    ) -> ImageClassifier:
        """Return the classifier of a checkpoint, see `lightning_modules.load`; with further arguments, as Lightning."""
        if arguments or options:
            return super().load_from_checkpoint(checkpoint_path, map_location, *arguments, **options)
        from lightning_modules.loading import load  # here, because it builds an ImageClassifier

        return load(checkpoint_path, "cpu" if map_location is None else map_location)

    def _attached(self) -> pl.Trainer | None:
        """Return the trainer, or None where there is none, as when a checkpoint is loaded elsewhere."""
        try:
            return self.trainer
        except RuntimeError:
            return None

    def new_optimizer(self) -> Optimizer:
        """Return an optimizer of all trainable parameters."""
        with saying_what_is_wrong("optimizer"):
            groups = parameter_groups(self, self.backbone, self.decay_all, self.layer_decay)
            return with_scaled_rates(without_leftovers(self.make_optimizer or AdamW, AdamW)(groups))

    def configure_optimizers(self) -> Any:
        optimizer = self.new_optimizer()
        if self.make_scheduler is None:
            return optimizer
        with saying_what_is_wrong("scheduler"):
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


def model_of(module: pl.LightningModule) -> ImageClassifier:
    """Return a callback's module, which in this trainer is an ImageClassifier."""
    return cast(ImageClassifier, module)
