"""Losses of the classifier, for class numbers and for several labels per image."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import augment as A
from augment.data.known import dense, known
from lightning_modules.data.datamodule import ImageDataModule
from lightning_modules.data.image_sets import IGNORED, counted
from lightning_modules.errors import UserError
from lightning_modules.model.backbones import why_random


class Loss(nn.Module, ABC):
    """A loss for training, and its counterpart for evaluation. A loss has no weights, so checkpoints do not hold it.

    Class attribute:
        multi_label: labels are targets (B, classes) of 0 and 1 instead of class numbers (B,).

    Attribute:
        num_splits: number of views of each sample in training, see `augment.presets.aug_splits`.
    """

    multi_label: ClassVar[bool] = False
    num_splits: int = 1

    def check(self, labels: Tensor, num_classes: int) -> None:
        """Raise UserError if the loss does not take labels such as those of a data set, (N,) or (N, classes)."""
        if self.multi_label and labels.shape[1:] != (num_classes,):
            raise UserError(
                f"{type(self).__name__}: labels {tuple(labels.shape)} of the data must be targets of 0 and 1 with a "
                f"column for each of the {num_classes} classes."
            )
        if not self.multi_label and labels.ndim != 1:
            raise UserError(
                f"{type(self).__name__}: labels {tuple(labels.shape)} of the data must be class numbers (N,); for "
                "targets of 0 and 1 set loss=multi_label."
            )

    def prepare(self, num_classes: int, data: ImageDataModule | None) -> None:
        """Get ready for training; `data` is None if it is no ImageDataModule."""

    @abstractmethod
    def forward(self, logits: Tensor, batch: A.Batch) -> Tensor:
        """Return the training loss of each sample (B,), from logits (B, classes) for an augmented batch.

        Its labels are class numbers (B,), or (B, classes) floats after mixing and for several labels per image. If the
        loss compares views, logits and batch hold the first view of each sample, then the second, and so on.
        """

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return probabilities (B, classes), which sum to 1 unless there are several labels per image."""
        return logits.sigmoid() if self.multi_label else logits.softmax(1)

    @abstractmethod
    def evaluated(self, logits: Tensor, label: Tensor) -> Tensor:
        """Return the loss of each sample (B,) without smoothing and weights; 0 for rows labelled IGNORED."""


class CrossEntropy(Loss):
    """Cross-entropy of class numbers, or of mixed labels.

    Args:
        label_smoothing: share of the label that is spread over all classes, also in mixed labels, in [0, 1].
        class_weights: factor of the loss for each class; "balanced" gives every class the same total weight by its
            number of training images, with a mean factor of 1 per image; None weighs nothing.
    """

    def __init__(
        self, label_smoothing: float = 0.0, class_weights: Literal["balanced"] | Sequence[float] | None = None
    ) -> None:
        super().__init__()
        _check_smoothing(self, label_smoothing)
        balanced = class_weights == "balanced"
        if not (balanced or class_weights is None or _are_weights(class_weights)):
            raise UserError(
                f"{type(self).__name__}: class_weights={class_weights} must be balanced, null or a list with a number "
                "of at least 0 for each class."
            )
        self.label_smoothing, self.balanced = label_smoothing, balanced
        # no buffer, because copies of the model for weight averaging are made before the classes are counted
        self.weights = None if balanced or class_weights is None else torch.tensor(class_weights, dtype=torch.float32)

    def prepare(self, num_classes: int, data: ImageDataModule | None) -> None:
        if self.balanced:
            if data is None:
                raise UserError("class_weights=balanced counts the images of an ImageDataModule: give a list instead.")
            self.weights = _balanced(data.splits.train.labels, num_classes)
        if self.weights is not None and len(self.weights) != num_classes:
            raise UserError(
                f"{type(self).__name__}: class_weights has {len(self.weights)} numbers; give one for each of the "
                f"{num_classes} classes."
            )

    def forward(self, logits: Tensor, batch: A.Batch) -> Tensor:
        if self.weights is not None:
            self.weights = self.weights.to(logits.device)
        label = known(batch.label)
        return F.cross_entropy(logits, label, self.weights, reduction="none", label_smoothing=self.label_smoothing)

    def evaluated(self, logits: Tensor, label: Tensor) -> Tensor:
        return F.cross_entropy(logits, label, ignore_index=IGNORED, reduction="none")


class Binary(Loss):
    """Binary cross-entropy of each class, averaged over the classes (Wightman et al. 2021, "ResNet strikes back").

    Smoothing and threshold are those of timm's `BinaryCrossEntropy`, and apply to mixed labels in the same way.

    Args:
        label_smoothing: share of the label that is spread over all classes, in [0, 1].
        target_threshold: targets above it become 1 and all others 0, in [0, 1); None leaves them as they are.
    """

    def __init__(self, label_smoothing: float = 0.0, target_threshold: float | None = None) -> None:
        super().__init__()
        _check_smoothing(self, label_smoothing)
        if target_threshold is not None and not 0 <= target_threshold < 1:
            raise UserError(f"Binary: target_threshold={target_threshold} must lie within [0, 1), or be null.")
        self.label_smoothing, self.target_threshold = label_smoothing, target_threshold

    def forward(self, logits: Tensor, batch: A.Batch) -> Tensor:
        targets = torch.lerp(
            _targets(known(batch.label), logits), torch.full_like(logits, 1 / logits.shape[1]), self.label_smoothing
        )
        if self.target_threshold is not None:
            targets = (targets > self.target_threshold).to(logits.dtype)
        return F.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(1)

    def evaluated(self, logits: Tensor, label: Tensor) -> Tensor:
        losses = F.binary_cross_entropy_with_logits(logits, _targets(label, logits), reduction="none").mean(1)
        return losses.masked_fill(~counted(label), 0.0)


class MultiLabel(Loss):
    """Binary cross-entropy of each class, averaged over the classes, for images with any number of labels.

    Args:
        label_smoothing: share by which every target moves towards 0.5, in [0, 1].
    """

    multi_label = True

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        _check_smoothing(self, label_smoothing)
        self.label_smoothing = label_smoothing

    def forward(self, logits: Tensor, batch: A.Batch) -> Tensor:
        targets = known(batch.label).to(logits.dtype)
        targets = targets.lerp(torch.full_like(targets, 0.5), self.label_smoothing)
        return F.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(1)

    def evaluated(self, logits: Tensor, label: Tensor) -> Tensor:
        losses = F.binary_cross_entropy_with_logits(logits, label.to(logits.dtype), reduction="none").mean(1)
        return losses.masked_fill(~counted(label), 0.0)


class Distillation(CrossEntropy):
    """Cross-entropy, and the divergence from a teacher's softened probabilities (Hinton et al. 2015).

    The teacher sees the same augmented images, does not learn, and uses no dropout and no statistics of the batch. It
    is built when training starts; neither checkpoints nor the averages of weights hold it.

    Args:
        teacher: function without arguments that builds the teacher, such as a partial of `timm_backbone`.
        temperature: divisor of both networks' logits, positive; the divergence is multiplied by its square.
        weight: share of the divergence in the loss, in [0, 1]; the rest is cross-entropy.
        label_smoothing, class_weights: see CrossEntropy.
    """

    def __init__(
        self,
        teacher: Callable[[], nn.Module],
        temperature: float = 4.0,
        weight: float = 0.9,
        label_smoothing: float = 0.0,
        class_weights: Literal["balanced"] | Sequence[float] | None = None,
    ) -> None:
        super().__init__(label_smoothing, class_weights)
        if temperature <= 0:
            raise UserError(f"Distillation: temperature={temperature} must be positive.")
        if not 0 <= weight <= 1:
            raise UserError(f"Distillation: weight={weight} must lie within [0, 1].")
        self.make_teacher, self.temperature, self.weight = teacher, temperature, weight

    @cached_property  # which also hides it from torch, so that it is no part of the model
    def teacher(self) -> nn.Module:
        return self.make_teacher().requires_grad_(False).eval().to(memory_format=torch.channels_last)

    def prepare(self, num_classes: int, data: ImageDataModule | None) -> None:
        super().prepare(num_classes, data)
        given = getattr(self.make_teacher, "keywords", None)  # a function that is no partial must know its weights
        reason = None if given is None else why_random(given, self.teacher, num_classes)
        if reason is not None:
            raise UserError(
                f"Distillation: the teacher would teach random numbers, because {reason}; give its trained weights: "
                "loss.teacher.checkpoint_path=.../best.ckpt."
            )

    def forward(self, logits: Tensor, batch: A.Batch) -> Tensor:
        told = self._told(dense(batch.image)).float()
        if told.shape != logits.shape:
            raise UserError(f"Distillation: the teacher returns {tuple(told.shape)}, not {tuple(logits.shape)} logits.")
        soft, target = ((values / self.temperature).log_softmax(1) for values in (logits, told))
        divergence = F.kl_div(soft, target, reduction="none", log_target=True).sum(1) * self.temperature**2
        return torch.lerp(super().forward(logits, batch), divergence, self.weight)

    @torch.no_grad()
    def _told(self, images: Tensor) -> Tensor:
        teacher = self.teacher.to(images.device)
        if not torch.is_autocast_enabled(images.device.type):
            images = images.to(next(teacher.parameters()).dtype)
        return teacher(images)


class JensenShannon(CrossEntropy):
    """Cross-entropy of a clean view, and the Jensen-Shannon divergence of the predictions for all views of a sample.

    Hendrycks et al. 2020, "AugMix", arXiv 1912.02781, section 3; timm's `JsdCrossEntropy`. The network sees all views
    in one pass, so batch norm uses the statistics of all of them, as in the paper.

    Args:
        num_splits: number of views, the clean one among them; at least 2.
        alpha: weight of the divergence, at least 0.
        label_smoothing, class_weights: of the cross-entropy, see CrossEntropy.
    """

    def __init__(
        self,
        num_splits: int = 3,
        alpha: float = 12.0,
        label_smoothing: float = 0.0,
        class_weights: Literal["balanced"] | Sequence[float] | None = None,
    ) -> None:
        super().__init__(label_smoothing, class_weights)
        if num_splits < 2:
            raise UserError(f"JensenShannon: num_splits={num_splits} must be at least 2, the clean view among them.")
        if not alpha >= 0:
            raise UserError(f"JensenShannon: alpha={alpha} must be at least 0.")
        self.num_splits, self.alpha = num_splits, alpha

    def forward(self, logits: Tensor, batch: A.Batch) -> Tensor:
        views = logits.unflatten(0, (self.num_splits, -1))
        log_p = views.log_softmax(2)
        log_mean = log_p.logsumexp(0) - math.log(self.num_splits)
        divergence = (log_p.exp() * (log_p - log_mean)).sum(2).mean(0)
        clean = batch.map(lambda part: part[: views.shape[1]])
        return super().forward(views[0], clean) + self.alpha * divergence


def _check_smoothing(loss: Loss, label_smoothing: float) -> None:
    if not 0 <= label_smoothing <= 1:
        raise UserError(f"{type(loss).__name__}: label_smoothing={label_smoothing} must lie within [0, 1].")


def _are_weights(given: object) -> bool:
    """Return whether a value is a list of numbers that are not negative."""
    if not isinstance(given, Sequence) or isinstance(given, str):
        return False
    return all(isinstance(value, (int, float)) and value >= 0 for value in given)


def _balanced(labels: Tensor, num_classes: int) -> Tensor:
    """Return N / (classes with images * images of the class) for each class, 0 for a class without images."""
    counts = labels.bincount(minlength=num_classes).float()
    weights = len(labels) / ((counts > 0).sum() * counts)
    return weights.masked_fill(counts == 0, 0.0)


def _targets(label: Tensor, logits: Tensor) -> Tensor:
    """Return labels as (B, classes) floats; rows labelled IGNORED get any."""
    if not label.is_floating_point():
        label = F.one_hot(label.clamp(min=0), logits.shape[1])
    return label.to(logits.dtype)
