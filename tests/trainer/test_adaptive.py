"""AdaptiveStrength: the strength of augmentation follows the gap between training and validation loss."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig

import augment as A
from lightning_modules.errors import UserError
from lightning_modules.learning.adaptive import AdaptiveStrength
from tests.trainer.tools import build

SHORT = ["trainer.max_epochs=3", "trainer.limit_train_batches=2", "model=small_cnn", "model.width=8"]
Configure = Callable[..., DictConfig]


def fit(cfg: DictConfig, callback: AdaptiveStrength, resume: Path | None = None) -> A.Pipeline:
    trainer, model, data = build(cfg)
    trainer.callbacks.append(callback)
    trainer.fit(model, data, ckpt_path=resume, weights_only=True)
    assert {"adaptive/gap", "adaptive/strength"} <= trainer.logged_metrics.keys()
    return model.augment


@pytest.mark.parametrize(("target", "strength"), [(1e-6, 0.8), (1.0, 0.2)], ids=["too weak", "too strong"])
def test_it_moves_towards_the_target(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, target: float, strength: float
) -> None:
    monkeypatch.setattr(AdaptiveStrength, "_training_loss", lambda *_: 0.01)  # as if memorised
    callback = AdaptiveStrength(target=target, step=0.1, start=0.5)
    pipeline = fit(configure(*SHORT), callback)
    assert callback.strength == pytest.approx(strength)
    random = [layer for layer in pipeline.layers if not layer.deterministic]
    assert random
    for layer in random:
        assert float(layer.p.probability()) == pytest.approx(strength, abs=2e-3)  # light has p=1 throughout
    index = torch.arange(2000)
    gate = random[0].params(random[0].noise(index))["gate"].float().mean()
    assert gate == pytest.approx(strength, abs=4 * (strength * (1 - strength) / 2000) ** 0.5)


def test_the_training_loss_is_that_of_preprocessed_training_images(configure: Configure) -> None:
    trainer, model, data = build(configure(*SHORT))
    trainer.callbacks.append(callback := AdaptiveStrength(samples=10**9))
    trainer.fit(model, data)
    measured = callback._training_loss(trainer, model)
    model.eval()
    batch = data.splits.train.__getitems__(list(range(len(data.splits.train))))
    expected = torch.nn.functional.cross_entropy(model(batch.image), batch.label)
    assert measured == pytest.approx(expected.item(), rel=1e-4)


def test_a_checkpoint_holds_the_strength(configure: Configure, tmp_path: Path) -> None:
    first = AdaptiveStrength(target=1.0, step=0.1, start=0.9)
    fit(configure(*SHORT, "trainer.max_epochs=2"), first)
    again = AdaptiveStrength(target=1.0, step=0.1, start=0.9)
    fit(configure(*SHORT), again, resume=tmp_path / "run/checkpoints/last.ckpt")
    assert again.strength == pytest.approx(0.6)


def test_crops_stay_as_they_are(configure: Configure) -> None:
    pipeline = A.Pipeline(A.RandomResizedCrop(32), A.RandomHorizontalFlip(p=0.4), A.Normalize(0.5, 0.5))
    trainer, model, data = build(configure(*SHORT))
    model.augment = pipeline
    trainer.callbacks.append(callback := AdaptiveStrength(target=1.0, start=0.5))
    trainer.fit(model, data)
    assert [full for _, full in callback.gates] == [0.4]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": 0.0}, r"target=0.0 must lie within \(0, 1\]"),
        ({"step": 2.0}, r"step=2.0 must lie within \(0, 1\]"),
        ({"start": -0.1}, r"start=-0.1 must lie within \[0, 1\]"),
        ({"samples": 0}, "samples=0 must be at least 1"),
    ],
)
def test_what_it_refuses(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        AdaptiveStrength(**arguments)


def test_nothing_to_scale_is_refused(configure: Configure) -> None:
    trainer, model, data = build(configure(*SHORT, "augment=none"))
    trainer.callbacks.append(AdaptiveStrength())
    with pytest.raises(UserError, match="no random layer"):
        trainer.fit(model, data)
