"""ImageClassifier: labels, metrics, optimizer, learning."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from omegaconf import DictConfig
from torch import Tensor, nn

import augment as A
from lightning_modules.classifier import ImageClassifier
from lightning_modules.data.digits import DigitsData
from lightning_modules.data.image_sets import IGNORED
from lightning_modules.data.sampler import ShardSampler
from lightning_modules.errors import UserError
from lightning_modules.model.losses import CrossEntropy
from lightning_modules.model.schedules import WarmupCosine
from tests.trainer.tools import build


class Seen(nn.Module):
    """A linear classifier that records its inputs."""

    def __init__(self, classes: int = 10, pixels: int = 64) -> None:
        super().__init__()
        self.linear = nn.Linear(pixels, classes)
        self.images: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        self.images.append(images.detach())
        return self.linear(images.flatten(1))


def classifier(*layers: A.Layer, **arguments: object) -> ImageClassifier:
    return ImageClassifier(
        Seen(),
        A.Pipeline(*layers, A.Normalize(0.3, 0.4), seed=3),
        A.Preprocess(8, 0.3, 0.4, crop=None),
        num_classes=10,
        input_size=8,
        **arguments,
    )


@pytest.fixture
def batch() -> A.Batch:
    return DigitsData().example(12)


def test_training_augments_and_evaluation_preprocesses(batch: A.Batch) -> None:
    model = classifier(A.RandomRotation(90.0, p=1.0))
    plain = (batch.image.float() / 255 - 0.3) / 0.4
    model.train()(batch)
    model.eval()(batch)
    trained, evaluated = model.backbone.images
    assert not torch.allclose(trained, plain, atol=0.1)
    torch.testing.assert_close(evaluated, plain, atol=1e-5, rtol=0)


def test_a_plain_tensor_is_classified_too(batch: A.Batch) -> None:
    model = classifier().eval()
    torch.testing.assert_close(model(batch.image), model(batch))


def test_augmentation_follows_the_epoch(batch: A.Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    model = classifier(A.RandomRotation(90.0, p=1.0)).train()
    images = {}
    for epoch in (0, 1, 0):
        monkeypatch.setattr(ImageClassifier, "current_epoch", epoch)
        images.setdefault(epoch, []).append(model.augmented(batch).image)
    assert torch.equal(images[0][0], images[0][1])
    assert not torch.allclose(images[0][0], images[1][0], atol=0.1)


def test_mixing_makes_soft_labels_and_the_loss_uses_them(batch: A.Batch) -> None:
    model = classifier(A.RandomMixUp(p=1.0)).train()
    mixed = model.augmented(batch)
    assert mixed.label.shape == (12, 10)
    torch.testing.assert_close(mixed.label.sum(1), torch.ones(12))
    assert ((mixed.label > 0) & (mixed.label < 1)).any(1).sum() > 6  # partners may share a label
    logits = model.backbone(mixed.image)
    by_hand = -(mixed.label * F.log_softmax(logits, 1)).sum(1).mean()
    torch.testing.assert_close(model.training_step(batch)["loss"], by_hand)


def test_without_mixing_labels_stay_indices(batch: A.Batch) -> None:
    model = classifier().train()
    assert torch.equal(model.augmented(batch).label, batch.label)
    logits = model.backbone(model.augmented(batch).image)
    torch.testing.assert_close(model.training_step(batch)["loss"], F.cross_entropy(logits, batch.label))


@pytest.mark.parametrize("mix", [[], [A.RandomMixUp(p=1.0)]], ids=["hard", "soft"])
def test_label_smoothing(mix: list[A.Layer], batch: A.Batch) -> None:
    model = classifier(*mix, loss=CrossEntropy(label_smoothing=0.2)).train()
    seen = model.augmented(batch)
    target = seen.label if mix else F.one_hot(seen.label, 10).float()
    target = 0.8 * target + 0.2 / 10
    by_hand = -(target * F.log_softmax(model.backbone(seen.image), 1)).sum(1).mean()
    torch.testing.assert_close(model.training_step(batch)["loss"], by_hand)


def test_metrics_count_each_row_once_and_leave_padding_out() -> None:
    """Run the batches of both ranks in turn; 359 rows in batches of 179 end with a batch of padding only."""
    model, images = classifier().eval(), DigitsData().splits.test
    padding = 0
    with torch.no_grad():
        for rank in (0, 1):
            shard = list(ShardSampler(359, train=False, world=2, rank=rank))
            for start in range(0, len(shard), 179):
                batch = images.__getitems__(shard[start : start + 179])
                padding += int((batch.label == IGNORED).sum())
                model.test_step(batch)
        assert padding == 1
        everything = images.__getitems__(list(range(359)))
        logits = model(everything)
    accuracy = model.accuracies["test"].compute()["test/acc"]
    assert accuracy == (logits.argmax(1) == everything.label).float().mean()
    torch.testing.assert_close(model.losses["test"].compute(), F.cross_entropy(logits, everything.label))


def test_no_weight_decay_on_biases_and_norms(configure: Callable[..., DictConfig]) -> None:
    _, model, _ = build(configure("scheduler=none", "optimizer.weight_decay=0.07"))
    groups = model.configure_optimizers()["optimizer"].param_groups
    decay = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    assert len(decay) == len(list(model.parameters()))
    for name, parameter in model.named_parameters():
        assert decay[id(parameter)] == (0.07 if parameter.ndim > 1 else 0.0), name
    _, model, _ = build(configure("scheduler=none", "optimizer.weight_decay=0.07", "classifier.decay_all=true"))
    assert [g["weight_decay"] for g in model.configure_optimizers()["optimizer"].param_groups] == [0.07]


def test_warmup_cosine() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule, rates = WarmupCosine(optimizer, total_steps=100, warmup=0.1, final=0.01), []
    for _ in range(100):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates[:10] == pytest.approx([2 * (i + 1) / 11 for i in range(10)])
    assert rates[10] == 2.0
    assert rates[55] == pytest.approx(2 * (0.01 + 0.99 * 0.5))
    assert rates == sorted(rates[:11]) + sorted(rates[11:], reverse=True)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.02)


@pytest.mark.parametrize("epochs", [2, 3])
def test_the_schedule_ends_with_the_training(configure: Callable[..., DictConfig], epochs: int) -> None:
    trainer, model, data = build(configure("experiment=smoke", f"trainer.max_epochs={epochs}"))
    trainer.fit(model, data)
    (scheduler,) = model.lr_schedulers().get_last_lr()[:1]
    assert trainer.global_step == 2 * epochs
    assert scheduler == pytest.approx(0.0, abs=1e-9)


def test_any_torch_scheduler(configure: Callable[..., DictConfig]) -> None:
    one_cycle = ["~scheduler", "+scheduler._target_=torch.optim.lr_scheduler.OneCycleLR", "+scheduler._partial_=true"]
    trainer, model, data = build(configure("experiment=smoke", *one_cycle, "+scheduler.max_lr=0.1"))
    trainer.fit(model, data)
    assert model.lr_schedulers().total_steps == 4


def test_top5_where_it_makes_sense() -> None:
    arguments = {"augment": A.Pipeline(A.Normalize(0.3, 0.4)), "preprocess": A.Preprocess(8), "input_size": 8}
    assert set(ImageClassifier(Seen(10), num_classes=10, **arguments).accuracies["val"]) == {"val/acc"}
    model = ImageClassifier(Seen(30), num_classes=30, **arguments)
    logits = torch.arange(30.0).repeat(4, 1)
    model.accuracies["val"].update(logits, torch.tensor([29, 25, 24, IGNORED]))
    assert {k: round(v.item(), 6) for k, v in model.accuracies["val"].compute().items()} == {
        "val/acc": round(1 / 3, 6),
        "val/acc_top5": round(2 / 3, 6),
    }


def test_hyperparameters_are_primitive(configure: Callable[..., DictConfig]) -> None:
    _, model, _ = build(configure())
    assert dict(model.hparams) == {"num_classes": 10, "decay_all": False, "layer_decay": None}


def test_a_checkpoint_of_another_model_is_refused_in_one_sentence(configure: Callable[..., DictConfig]) -> None:
    _, model, _ = build(configure())
    _, other, _ = build(configure("model.name=test_vit"))
    with pytest.raises(
        UserError, match=r"the checkpoint belongs to another model: .* weights differ, such as backbone"
    ):
        other.on_load_checkpoint({"state_dict": model.state_dict()})
    model.on_load_checkpoint({"state_dict": model.state_dict()})


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true"])
def test_low_precision(configure: Callable[..., DictConfig], precision: str) -> None:
    trainer, model, data = build(configure("experiment=smoke", f"trainer.precision={precision}"))
    trainer.fit(model, data)
    assert math.isfinite(trainer.callback_metrics["train/loss"])


def test_it_learns(configure: Callable[..., DictConfig]) -> None:
    trainer, model, data = build(configure("trainer.max_epochs=5", "trainer.num_sanity_val_steps=0"))
    trainer.fit(model, data)
    assert trainer.callback_metrics["val/acc"] > 0.9
