"""The losses: values, smoothing, weights, several labels per image, and distillation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from omegaconf import DictConfig
from timm.loss import BinaryCrossEntropy
from torch import Tensor, nn

import augment as A
from lightning_modules.data.digits import DigitsData
from lightning_modules.data.image_sets import IGNORED, Splits, TensorImages, split
from lightning_modules.errors import UserError
from lightning_modules.model.losses import Binary, CrossEntropy, Distillation, Loss, MultiLabel
from lightning_modules.model.metrics import label_metrics
from tests.trainer.tools import build
from train import train

SMALL = ["experiment=smoke", "model=small_cnn", "model.width=8", "data.size=8"]
LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 1.0, -2.0]])
HARD, SOFT = torch.tensor([0, 2]), torch.tensor([[0.7, 0.3, 0.0], [0.0, 0.5, 0.5]])
Configure = Callable[..., DictConfig]


def loss_of(loss: Loss, label: Tensor) -> Tensor:
    return loss(LOGITS, A.Batch(torch.zeros(2, 1, 2, 2), label=label))


@pytest.mark.parametrize("label", [HARD, SOFT], ids=["hard", "soft"])
def test_cross_entropy_smooths_and_weighs(label: Tensor) -> None:
    target = F.one_hot(HARD, 3).float() if label is HARD else SOFT
    smooth = 0.8 * target + 0.2 / 3
    by_hand = -(torch.tensor([1.0, 2.0, 4.0]) * smooth * LOGITS.log_softmax(1)).sum(1)
    loss = CrossEntropy(label_smoothing=0.2, class_weights=[1, 2, 4])
    torch.testing.assert_close(loss_of(loss, label), by_hand)
    torch.testing.assert_close(loss.evaluated(LOGITS, label), F.cross_entropy(LOGITS, label, reduction="none"))


def test_balanced_classes_weigh_the_same() -> None:
    data = DigitsData()
    labels = torch.tensor([0] * 6 + [1] * 3 + [3] * 3)
    images = TensorImages(torch.zeros(12, 2, 2, 1, dtype=torch.uint8), labels, list("abcd"))
    data.splits = Splits(images, images, images)
    loss = CrossEntropy(class_weights="balanced")
    loss.prepare(4, data)
    assert loss.weights.tolist() == pytest.approx([12 / 18, 12 / 9, 0, 12 / 9])
    assert loss.weights[labels].mean() == pytest.approx(1.0)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("threshold", [None, 0.05])
def test_binary_is_that_of_timm(smoothing: float, threshold: float | None) -> None:
    ours = loss_of(Binary(smoothing, threshold), HARD)
    assert ours.mean() == pytest.approx(BinaryCrossEntropy(smoothing, threshold)(LOGITS, HARD).item())
    smooth = (1 - smoothing) * SOFT + smoothing / 3  # timm smooths the labels before it mixes them
    mixed = BinaryCrossEntropy(smoothing, threshold)(LOGITS, smooth)
    assert loss_of(Binary(smoothing, threshold), SOFT).mean() == pytest.approx(mixed.item())


@pytest.mark.parametrize("loss", [CrossEntropy(), Binary(), MultiLabel()])
def test_padding_rows_have_no_loss(loss: Loss) -> None:
    label = torch.tensor([[0.0, 1.0, 1.0], [IGNORED] * 3]) if loss.multi_label else torch.tensor([1, IGNORED])
    evaluated = loss.evaluated(LOGITS, label)
    assert evaluated[0] > 0
    assert evaluated[1] == 0


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (partial(CrossEntropy, 1.5), "CrossEntropy: label_smoothing=1.5 must lie within"),
        (partial(CrossEntropy, class_weights=[1, -1]), "must be balanced, null or a list"),
        (partial(Binary, target_threshold=1.0), "Binary: target_threshold=1.0 must lie within"),
        (partial(MultiLabel, -0.1), "MultiLabel: label_smoothing=-0.1 must lie within"),
        (partial(Distillation, nn.Identity, temperature=0), "Distillation: temperature=0 must be positive"),
        (partial(Distillation, nn.Identity, weight=2), "Distillation: weight=2 must lie within"),
    ],
)
def test_a_value_out_of_range_is_named(make: Callable[[], Loss], said: str) -> None:
    with pytest.raises(UserError, match=said):
        make()


def test_weights_for_another_number_of_classes() -> None:
    with pytest.raises(UserError, match="class_weights has 2 numbers; give one for each of the 10 classes"):
        CrossEntropy(class_weights=[1, 2]).prepare(10, DigitsData())


@pytest.mark.parametrize(
    "loss", ["binary loss.label_smoothing=0.1 augment=mixing", "cross_entropy loss.class_weights=balanced"]
)
def test_a_run_with_another_loss(configure: Configure, loss: str) -> None:
    assert train(configure(*SMALL, *f"loss={loss}".split())) is not None


class EvenAndLarge(DigitsData):
    """Digits with three labels that may all be true: even, more than four, and a one."""

    def load(self) -> Splits:
        digits = super().load()

        def labelled(images: TensorImages) -> TensorImages:
            number = images.labels
            targets = torch.stack([number % 2 == 0, number > 4, number == 1], 1)
            return TensorImages(images.pixels, targets, ["even", "large", "one"])

        return Splits(*(labelled(images) for images in digits))


MANY = ["loss=multi_label", "data.module._target_=tests.trainer.test_losses.EvenAndLarge", "data.num_classes=3"]


def test_several_labels_per_image(configure: Configure) -> None:
    best = "callbacks.best.monitor=val/map"
    trainer, model, data = build(configure(*SMALL, *MANY, best, "augment=mixing", "trainer.limit_val_batches=null"))
    trainer.fit(model, data)
    trainer.validate(model, data, verbose=False)
    model.eval()
    images = data.splits.val.__getitems__(list(range(len(data.splits.val))))
    with torch.no_grad():
        right = (model(images) > 0) == (images.label > 0.5)
    assert trainer.callback_metrics["val/acc"] == pytest.approx(right.float().mean().item())
    assert 0 < trainer.callback_metrics["val/f1"] < 1
    assert 0 < trainer.callback_metrics["val/map"] < 1
    assert trainer.checkpoint_callback.best_model_score == trainer.callback_metrics["val/map"]


def test_padding_rows_of_several_labels_do_not_count() -> None:
    data = EvenAndLarge()
    batch = data.splits.val.__getitems__([0, ~1, 2])
    assert batch.label[1].tolist() == [IGNORED] * 3
    count = len(data.splits.train)
    assert [len(part) for part in split(data.splits.train.labels, (0.25,), 0)] == [count // 4, count - count // 4]
    metrics, scores = label_metrics("val", 3), torch.rand(3, 3)
    metrics.update(scores, batch.label.long())
    alone = label_metrics("val", 3)
    alone.update(scores[[0, 2]], batch.label[[0, 2]].long())
    assert str(metrics.compute()) == str(alone.compute())


def test_data_and_loss_that_do_not_fit(configure: Configure) -> None:
    with pytest.raises(UserError, match=r"MultiLabel: labels \(\d+,\) of the data must be targets of 0 and 1"):
        train(configure(*SMALL, "loss=multi_label"))
    with pytest.raises(UserError, match=r"must be class numbers .*set loss=multi_label"):
        train(configure(*SMALL, *MANY, "loss=cross_entropy"))


def test_distillation_by_hand() -> None:
    told = torch.tensor([[1.0, 0.0, 0.0], [0.0, 3.0, 0.0]])

    class Teacher(nn.Linear):
        def forward(self, images: Tensor) -> Tensor:
            assert not self.training
            return told

    loss = Distillation(partial(Teacher, 1, 1), temperature=2.0, weight=0.7)
    kl = F.kl_div((LOGITS / 2).log_softmax(1), (told / 2).softmax(1), reduction="none").sum(1)
    by_hand = 0.7 * 4 * kl + 0.3 * F.cross_entropy(LOGITS, HARD, reduction="none")
    torch.testing.assert_close(loss_of(loss.train(), HARD), by_hand)
    assert not list(loss.parameters())
    assert not loss.state_dict()


def test_a_teacher_from_a_run(configure: Configure, tmp_path: Path) -> None:
    train(configure("experiment=smoke", "data.size=32", "test=false", f"output_dir={tmp_path / 'teacher'}"))
    best = tmp_path / "teacher" / "checkpoints" / "best.ckpt"
    taught = ["loss=distillation", "loss.teacher.name=test_resnet", f"loss.teacher.checkpoint_path={best}"]
    trainer, model, data = build(configure("experiment=smoke", "model=small_cnn", "model.width=8", *taught))
    trainer.fit(model, data)
    weights = torch.load(best)["state_dict"]
    for name, value in model.loss.teacher.state_dict().items():  # batch-norm statistics included
        assert torch.equal(value, weights[f"backbone.{name}"]), name
    assert not any("teacher" in name for name in model.state_dict())


def test_a_teacher_with_random_weights_is_refused(configure: Configure) -> None:
    with pytest.raises(UserError, match=r"would teach random numbers, .* loss.teacher.checkpoint_path=.../best.ckpt"):
        train(configure(*SMALL, "loss=distillation", "loss.teacher.name=test_resnet"))
