"""The suite of tasks: what is in the images, what breaks their labels, and that each can be trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig
from torch import Tensor

import augment as A
from lightning_modules.data.image_sets import TensorImages
from lightning_modules.errors import UserError
from lightning_modules.tasks.suite import TASKS, TaskData
from tests.trainer.tools import build

MADE = [name for name, task in TASKS.items() if task.make is not None]


def everything(task: str, seed: int = 0) -> TensorImages:
    make = TASKS[task].make
    assert make is not None
    return make(seed)


@pytest.mark.parametrize("task", MADE)
def test_a_seed_makes_the_images(task: str) -> None:
    images, again, other = everything(task), everything(task), everything(task, seed=1)
    assert images.pixels.shape == (len(images), 16, 16, 3)
    assert images.pixels.dtype == torch.uint8
    assert sorted(set(images.labels.tolist())) == list(range(len(images.classes)))
    assert torch.equal(images.pixels, again.pixels)
    assert torch.equal(images.labels, again.labels)
    assert not torch.equal(images.pixels, other.pixels)


def test_labelled_images_are_few_and_apart_from_the_test() -> None:
    data, apart = TaskData("size"), TaskData("size", apart=True)
    assert abs(len(data.splits.train) - TASKS["size"].labelled) < len(data.splits.train.classes)
    assert len(data.splits.train) + len(data.splits.test) == 1797
    assert len(apart.splits.train) + len(apart.splits.val) == len(data.splits.train)


def means(images: TensorImages) -> Tensor:
    """The mean image of every class (classes, 3, 16, 16), minus that of all."""
    pixels = images.pixels.permute(0, 3, 1, 2).float() / 255
    mean = torch.stack([pixels[images.labels == label].mean(0) for label in range(len(images.classes))])
    return mean - pixels.mean(0)


BREAKS: dict[str, Callable[[Tensor], Tensor]] = {
    "orientation": lambda image: torch.rot90(image, 1, (2, 3)),
    "mirrored": A.RandomHorizontalFlip(p=1.0),
    "position": lambda image: image.roll(2, 3),
    "colour": lambda image: image.roll(1, 1),  # red becomes green
    "nothing": A.RandomHorizontalFlip(p=1.0),
}


@pytest.mark.parametrize("task", BREAKS)
def test_what_breaks_a_label_turns_one_class_into_another(task: str) -> None:
    """A changed mean image is nearest to that of another class, for most classes."""
    classes = means(everything(task))
    distance = torch.cdist(BREAKS[task](classes).flatten(1), classes.flatten(1))
    own = torch.cdist(classes.flatten(1), classes.flatten(1))
    assert (own.argmin(1) == torch.arange(len(classes))).all()
    assert (distance.argmin(1) != torch.arange(len(classes))).float().mean() > 0.7


def test_size_and_brightness_grow_with_their_label() -> None:
    ink, shade = everything("size"), everything("brightness")
    for images, measure in ((ink, ink.pixels.float()), (shade, shade.pixels[:, 0].float())):
        values = [measure[images.labels == label].mean().item() for label in range(len(images.classes))]
        assert values == sorted(values)


@pytest.mark.parametrize("task", ["rotated", "texture"])
def test_a_quarter_turn_changes_no_class(task: str) -> None:
    """The mean power of the frequencies of a class, turned, is nearest to that of the same class."""
    images = everything(task)
    power = torch.fft.fft2(images.pixels[..., 0].float()).abs()[:, :8, :8]
    classes = torch.stack([power[images.labels == label].mean(0) for label in range(len(images.classes))])
    distance = torch.cdist(classes.mT.flatten(1), classes.flatten(1))
    assert (distance.argmin(1) == torch.arange(len(classes))).all()


def test_photographs_come_from_a_folder(mixed_folder: Path) -> None:
    data = TaskData("photographs", root=str(mixed_folder))
    assert data.splits.train.classes == ["ant", "bee", "cow"]
    assert data.example(2).image.shape == (2, 3, 16, 16)
    for root in (None, str(mixed_folder / "missing")):
        with pytest.raises(UserError, match=r"root=.* must be a folder with a subfolder for each class"):
            _ = TaskData("photographs", root=root).splits
    with pytest.raises(UserError, match="at least two subfolders"):
        _ = TaskData("photographs", root=str(mixed_folder / "ant")).splits


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(UserError, match=r"task='weight' must be one of rotated, orientation"):
        TaskData("weight")


@pytest.mark.parametrize("task", MADE)
def test_a_task_is_trained(task: str, configure: Callable[..., DictConfig]) -> None:
    cfg = configure("experiment=regret", f"data.task={task}", "trainer.max_steps=3", "callbacks.learn.report=null")
    trainer, model, data = build(cfg)
    before = [parameter.detach().clone() for parameter in model.backbone.parameters()]
    trainer.fit(model, data)
    assert trainer.global_step == 3
    assert all((a != b).any() for a, b in zip(before, model.backbone.parameters(), strict=True))
