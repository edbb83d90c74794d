"""Our layers work inside the containers of torch, Kornia and torchvision."""

from collections.abc import Callable

import kornia.augmentation as K
import pytest
import torch
from torch import nn

import augment as A

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
v2 = pytest.importorskip("torchvision.transforms.v2")


def same(images: torch.Tensor) -> torch.Tensor:
    return images


def flip(images: torch.Tensor) -> torch.Tensor:
    return images.flip(-1)


def in_other_containers(layer: nn.Module) -> list[tuple[nn.Module, Callable, Callable]]:
    """Return containers, and functions that they apply before and after the layer."""
    return [
        (nn.Sequential(layer), same, same),
        (K.ImageSequential(K.RandomHorizontalFlip(p=1.0), layer), flip, same),
        (K.ImageSequential(layer, random_apply=1), same, same),
        (K.AugmentationSequential(layer, K.RandomHorizontalFlip(p=1.0), data_keys=["input"]), same, flip),
        (K.AugmentationSequential(K.ImageSequential(layer), data_keys=["input"], random_apply=True), same, same),
        (v2.Compose([layer, v2.RandomHorizontalFlip(1.0)]), same, flip),
    ]


@pytest.mark.parametrize(
    "layer", [A.RandomRotation(20.0), A.RandomGamma((0.5, 2.0)), A.RandAugment(), A.Normalize(0.5, 0.5)]
)
def test_our_layers_stand_in_other_containers(layer, photos, monkeypatch):
    images = photos / 255
    # containers use the same generator
    monkeypatch.setattr(
        "augment.engine.execution.fresh_index", lambda count, device: torch.arange(count, device=device)
    )
    for container, before, after in in_other_containers(layer):
        torch.testing.assert_close(container(images), after(layer(before(images))), rtol=0, atol=1e-6)


def test_a_photometric_layer_beside_annotations(photos):
    """Kornia does not apply unknown layers to masks, which is correct for photometric layers."""
    container = K.AugmentationSequential(
        A.RandomInvert(p=1.0), K.RandomHorizontalFlip(p=1.0), data_keys=["input", "mask", "bbox_xyxy"]
    )
    images, mask = photos / 255, (photos[:, :1] > 127).float()
    boxes = torch.tensor([2.0, 3.0, 9.0, 10.0]).expand(8, 1, 4)
    image, moved, _ = container(images, mask, boxes)
    torch.testing.assert_close(image, (1 - images).flip(-1))
    assert torch.equal(moved, mask.flip(-1))
