"""loss=jsd: a clean view and augmented ones of every sample, and the divergence of the predictions for them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from omegaconf import DictConfig
from PIL import Image
from sklearn.datasets import load_sample_image
from timm.loss import JsdCrossEntropy

import augment as A
from lightning_modules.data.digits import DigitsData
from lightning_modules.errors import UserError
from lightning_modules.model.losses import CrossEntropy, JensenShannon
from lightning_modules.reporting.pictures import augmented_tiles
from tests.trainer.test_classifier import classifier
from tests.trainer.tools import build, write_pipeline
from train import train

Configure = Callable[..., DictConfig]
SMALL = ["experiment=smoke", "model=small_cnn", "model.width=8", "data.size=8", "loss=jsd", "augment=augmix"]


@pytest.mark.parametrize("splits", [2, 3])
def test_the_loss_is_that_of_timm(splits: int) -> None:
    logits, label = torch.randn(4 * splits, 5, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 4, 1])
    loss = JensenShannon(splits, alpha=7.0, label_smoothing=0.1)
    ours = loss(logits, A.Batch(torch.zeros(4 * splits, 1, 2, 2), label=label.repeat(splits)))
    assert ours.shape == (4,)
    theirs = JsdCrossEntropy(splits, alpha=7.0, smoothing=0.1)(logits, label.repeat(splits))
    assert ours.mean().item() == pytest.approx(theirs.item(), rel=1e-5)


def test_equal_predictions_and_certain_ones_have_finite_losses() -> None:
    label, certain = torch.tensor([0]), torch.tensor([[300.0, 0.0], [0.0, 300.0]], requires_grad=True)
    batch = A.Batch(torch.zeros(2, 1, 2, 2), label=label.repeat(2))
    same = torch.tensor([[1.0, 2.0]]).repeat(2, 1)
    torch.testing.assert_close(JensenShannon(2)(same, batch), F.cross_entropy(same[:1], label, reduction="none"))
    loss = JensenShannon(2)(certain, batch)
    assert loss.item() == pytest.approx(12 * 0.693147, rel=1e-5)  # views that contradict each other differ by log 2
    (gradient,) = torch.autograd.grad(loss, certain)
    assert gradient.isfinite().all()


def test_the_first_view_is_clean_and_the_others_are_not() -> None:
    model = classifier(A.RandomHorizontalFlip(), A.RandomRotation(90.0, p=1.0), loss=JensenShannon(3)).train()
    batch = DigitsData().example(12)
    seen = model.augmented(batch)
    clean, first, second = seen.image.split(12)
    noise = model.augment.noise(batch.index)
    upright = A.Pipeline(A.RandomHorizontalFlip(), A.Normalize(0.3, 0.4), seed=3)(batch, noise[:, :1])
    assert torch.equal(clean, upright.image)
    assert ((clean - first).abs().amax((1, 2, 3)) > 0.1).all()
    assert ((second - first).abs().amax((1, 2, 3)) > 0.1).all()
    assert torch.equal(seen.label, batch.label.repeat(3))
    outputs = model.training_step(batch)
    assert outputs["losses"].shape == (12,)
    torch.testing.assert_close(outputs["logits"], model.backbone(clean))


def test_layers_are_not_kept_twice_and_copies_have_their_own() -> None:
    model = classifier(A.RandomBrightness(A.Uniform(0.5, 1.5, learnable=True)), loss=JensenShannon(2)).train()
    names = set(model.state_dict())
    model.augmented(DigitsData().example(4))
    assert set(model.state_dict()) == names
    twin = copy.deepcopy(model)
    assert twin.seen is not model.seen
    assert twin.seen.views[1].layers[0] is twin.augment.layers[0]


def test_pictures_show_the_views_of_a_sample_together() -> None:
    model = classifier(A.RandomRotation(90.0, p=1.0), loss=JensenShannon(3)).train()
    batch = DigitsData().example(8).replace(label=torch.arange(8))
    tiles = augmented_tiles(model, batch, list("0123456789"), count=6)
    assert [tile.lines[0] for tile in tiles] == ["0", "0", "0", "1", "1", "1"]


def test_a_run_is_evaluated_as_with_cross_entropy(configure: Configure) -> None:
    trainer, model, data = build(configure(*SMALL))
    trainer.fit(model, data)
    (found,) = trainer.test(model, data, verbose=False)
    model.loss = CrossEntropy()
    (expected,) = trainer.test(model, data, verbose=False)
    assert found == expected


def test_files_are_decoded_as_the_shared_crop_will_look_at_them(configure: Configure, tmp_path: Path) -> None:
    for name in ("china", "flower"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(10):
            pixels = load_sample_image(f"{name}.jpg")[20 * i : 20 * i + 120, 30 * i : 30 * i + 160]
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{i}.jpg", quality=95)
    crop, small = {"name": "RandomResizedCrop", "size": [16, 16]}, {"name": "RandomAffine", "degrees": 0.0, "p": 1.0}
    small["scale"] = [0.25, 0.25]  # the augmented views could do with coarser images than the clean one
    file = write_pipeline(tmp_path / "small.yaml", crop, small, {"name": "Normalize", "mean": 0.5, "std": 0.25})
    given = ["data=folder", f"data.root={tmp_path / 'photos'}", "data.size=16", "model=small_cnn", "data.num_workers=0"]
    images, read = [], []
    for reduce in ("true", "false"):
        trainer, model, data = build(
            configure(*given, "experiment=smoke", "loss=jsd", f"augment={file}", f"data.reduce={reduce}")
        )
        data.trainer = trainer
        trainer.strategy.connect(model)
        data.setup("fit")
        batch = next(iter(data.train_dataloader()))
        read.append(batch.image.data.numel())
        images.append(dict(zip(batch.index.tolist(), model.augmented(batch).image, strict=False)))  # the clean views
    assert read[0] < 0.5 * read[1]
    common = images[0].keys() & images[1].keys()
    assert common
    assert all((images[0][key] - images[1][key]).abs().mean() < 0.05 for key in common)


def test_numbers_out_of_range_are_named() -> None:
    with pytest.raises(UserError, match="JensenShannon: num_splits=1 must be at least 2"):
        JensenShannon(num_splits=1)
    with pytest.raises(UserError, match="JensenShannon: alpha=-1 must be at least 0"):
        JensenShannon(alpha=-1)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["augment=mixing"], "aug_splits: RandomMixUp mixes samples"),
        (["augment=learned"], "LearnPolicy: it needs one view of each sample"),
    ],
)
def test_what_does_not_fit_is_refused(settings: list[str], said: str, configure: Configure) -> None:
    with pytest.raises(UserError, match=said):
        train(configure(*SMALL, *settings))
