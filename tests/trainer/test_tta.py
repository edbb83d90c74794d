"""Test-time augmentation averages the views that its name says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import augment as A
from lightning_modules.classifier import ImageClassifier
from lightning_modules.errors import UserError
from lightning_modules.predicting.tta import views_of
from tests.trainer.tools import write_pipeline

SIDE, RESIZED = 14, 16
"""Of the crop, and of the image before it: 14 / 0.875."""

IMAGES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (5, 3, RESIZED, RESIZED), dtype=np.uint8))


@pytest.fixture(scope="module")
def model() -> ImageClassifier:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 3))  # positions matter, so that views differ
    return ImageClassifier(network, [], A.Preprocess(SIDE, 0.5, 0.25), num_classes=3, input_size=SIDE).eval()


def by_hand(model: ImageClassifier, views: list[torch.Tensor]) -> torch.Tensor:
    """Average the probabilities of parts of the images."""
    with torch.no_grad():
        return torch.stack([model.backbone((view / 255 - 0.5) / 0.25).softmax(1) for view in views]).mean(0)


def crops() -> list[torch.Tensor]:
    end, middle = RESIZED - SIDE, (RESIZED - SIDE) // 2
    corners = [(top, left) for top in (0, end) for left in (0, end)]
    return [IMAGES[..., y : y + SIDE, x : x + SIDE] for y, x in [(middle, middle), *corners]]


def test_flip(model: ImageClassifier):
    expected = by_hand(model, [crops()[0], crops()[0].flip(-1)])
    torch.testing.assert_close(model.predict(IMAGES, tta="flip"), expected, rtol=0, atol=1e-5)
    assert (model.predict(IMAGES) - expected).abs().max() > 1e-3


def test_five_and_ten_crops(model: ImageClassifier):
    torch.testing.assert_close(model.predict(IMAGES, tta="five_crop"), by_hand(model, crops()), rtol=0, atol=1e-5)
    ten = by_hand(model, [view for crop in crops() for view in (crop, crop.flip(-1))])
    torch.testing.assert_close(model.predict(IMAGES, tta="ten_crop"), ten, rtol=0, atol=1e-5)


def test_crops_of_images_of_mixed_sizes_and_of_whole_images(model: ImageClassifier):
    wide = IMAGES[0].repeat(1, 1, 2)
    alone = torch.cat([model.predict(wide[None], tta="five_crop"), model.predict(IMAGES[1:2], tta="five_crop")])
    mixed = model.predict([wide, IMAGES[1]], tta="five_crop")
    torch.testing.assert_close(mixed, alone, rtol=0, atol=1e-4)
    whole = ImageClassifier(model.backbone, [], A.Preprocess(SIDE, 0.5, 0.25, crop=None), 3, SIDE).eval()
    torch.testing.assert_close(whole.predict(IMAGES, tta="five_crop"), by_hand(model, crops()), rtol=0, atol=1e-5)


def test_a_pipeline_repeats_and_does_not_depend_on_the_batch(model: ImageClassifier, tmp_path: Path):
    layers = ({"name": "RandomCrop", "size": "${data.size}"}, {"name": "RandomHorizontalFlip", "p": 0.5})
    normalize = {"name": "Normalize", "mean": "${data.mean}", "std": "${data.std}"}
    path = str(write_pipeline(tmp_path / "views.yaml", *layers, normalize))
    found = model.predict(IMAGES, tta=path, tta_views=3)
    assert torch.equal(model.predict(IMAGES, tta=path, tta_views=3), found)
    torch.testing.assert_close(model.predict(IMAGES, tta=path, tta_views=3, batch_size=2), found, rtol=0, atol=1e-5)
    assert not torch.equal(model.predict(IMAGES, tta=path, tta_views=4), found)
    pipeline = A.Pipeline(A.RandomCrop(SIDE), A.RandomHorizontalFlip(p=0.5), A.Normalize(0.5, 0.25))
    views = [pipeline(IMAGES, index=torch.arange(5), epoch=number) for number in range(3)]
    expected = by_hand(model, [(view * 0.25 + 0.5) * 255 for view in views])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
    torch.testing.assert_close(model.predict(IMAGES, tta=pipeline, tta_views=3), found, rtol=0, atol=1e-5)


def test_what_does_not_fit_is_refused(model: ImageClassifier, tmp_path: Path):
    for tta, said in (
        ("six_crop", "none, flip, five_crop, ten_crop"),
        ("nowhere.yaml", "cannot be read"),
        (str(write_pipeline(tmp_path / "small.yaml", {"name": "CenterCrop", "size": 4})), "delivers"),
        (A.Pipeline(A.RandomMixUp()), "mixes images"),
    ):
        with pytest.raises(UserError, match=said):
            model.predict(IMAGES, tta=tta)
    with pytest.raises(UserError, match="tta_views=0"):
        views_of(model, A.Pipeline(), 0)
    (tmp_path / "evil.yaml").write_text("_target_: os.system\n_args_: ['true']\n")
    with pytest.raises(UserError, match=r"os\.system"):
        model.predict(IMAGES, tta=str(tmp_path / "evil.yaml"))
