"""The tasks with known widths, and the command that compares them with what is learned."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from augment.layers.policies.learned import OPERATORS
from lightning_modules.data.image_sets import TensorImages
from lightning_modules.errors import UserError
from lightning_modules.regret import widths as command
from lightning_modules.regret.widths import Found, read, summary
from lightning_modules.tasks.suite import TaskData
from lightning_modules.tasks.widths import LABELLED, WIDTHS
from tests.trainer.tools import ROOT


@pytest.mark.parametrize("task", WIDTHS)
def test_a_seed_makes_the_images(task: str) -> None:
    images, again, other = (WIDTHS[task].make(seed) for seed in (0, 0, 1))
    assert images.pixels.shape == (len(images), 16, 16, 3)
    assert sorted(set(images.labels.tolist())) == list(range(len(images.classes)))
    assert torch.equal(images.pixels, again.pixels)
    assert not torch.equal(images.pixels, other.pixels)


@pytest.mark.parametrize("task", WIDTHS)
def test_the_name_says_the_truth(task: str) -> None:
    known = WIDTHS[task]
    said = float(task.removeprefix(f"{known.operator}_"))
    truth = math.log(said) if known.operator == "scale" else said
    assert known.truth == pytest.approx(truth, abs=0.005)
    assert 0 <= known.truth <= OPERATORS[known.operator][0] + 1e-9


def means(images: TensorImages) -> Tensor:
    pixels = images.pixels.float().mean(-1)
    return torch.stack([pixels[images.labels == label].mean(0) for label in range(len(images.classes))])


def centre(weight: Tensor) -> Tensor:
    """The mean column of images (N, 16, 16), from 0 to 15."""
    ink = weight - weight.amin((1, 2), keepdim=True)
    return (ink.sum(1) * torch.arange(16.0)).sum(1) / ink.sum((1, 2))


@pytest.mark.parametrize("task", ["translate_x_0.125", "translate_x_0.25"])
def test_columns_lie_twice_the_true_width_apart(task: str) -> None:
    gaps = centre(means(WIDTHS[task].make(0)) - 10).diff()
    assert (gaps / 16 / 2).tolist() == pytest.approx([WIDTHS[task].truth] * len(gaps), abs=0.03)


@pytest.mark.parametrize("task", ["brightness_0.1", "brightness_0.2", "brightness_0.45"])
def test_shades_lie_twice_the_true_width_apart(task: str) -> None:
    gaps = means(WIDTHS[task].make(0)).mean((1, 2)).diff() / 255
    assert (gaps / 2).tolist() == pytest.approx([WIDTHS[task].truth] * len(gaps), abs=0.02)


@pytest.mark.parametrize("task", ["scale_1.41", "scale_2"])
def test_areas_grow_with_the_square_of_twice_the_true_width(task: str) -> None:
    images = means(WIDTHS[task].make(0))
    ink = (images - images[:, :1, :1]).mean((1, 2))  # beyond the ground, which is in the corner
    assert (ink.log().diff() / 4).tolist() == pytest.approx([WIDTHS[task].truth] * (len(ink) - 1), abs=0.06)


def test_the_network_gets_them_as_data() -> None:
    data = TaskData("hue_0.25")
    assert abs(len(data.splits.train) - LABELLED) <= 2
    assert data.num_classes == 2


def found(task: str, passed: float, failed: float | None, at_top: bool = False) -> Found:
    return Found(task, 0, passed, failed, at_top, skill=0.9, accuracy=0.9, seconds=1.0)


def test_what_is_near_and_what_holds_the_truth() -> None:
    assert found("rotate_45", 36.0, 72.0).near
    assert found("rotate_45", 36.0, 72.0).held is True
    assert not found("rotate_45", 72.0, 176.4).near
    assert found("rotate_45", 72.0, 176.4).held is False
    assert found("rotate_45", 18.0, 36.0).held is False
    assert found("rotate_180", 72.0, None).held is None
    assert found("rotate_180", 176.4, None, at_top=True).held is True
    said = summary([found("rotate_45", 36.0, 72.0), found("rotate_90", 18.0, 36.0), found("rotate_180", 72.0, None)])
    assert said.startswith("1 of 3 learned widths are within 10 %")
    assert "1 intervals hold the truth, 1 do not, 1 are open" in said
    assert "1 of 2 neighbouring truths" in said


def test_the_command_runs_what_is_missing_once_and_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "results.jsonl"
    short = ["--conf", str(ROOT / "conf"), "--override", "trainer.max_steps=40", "trainer.limit_test_batches=2"]
    monkeypatch.setattr(sys, "argv", ["widths", str(path), "--tasks", "hue_0.5", "--seeds", "3", *short])
    command.main()
    (one,) = read(path)
    assert (one.task, one.seed) == ("hue_0.5", 3)
    assert one.passed > 0 or one.failed is not None
    printed = capsys.readouterr().out
    assert "180 degrees" in printed
    assert "of 1 learned widths are within" in printed
    assert path.with_suffix(".png").stat().st_size > 5_000
    before = path.read_text()
    command.main()
    assert path.read_text() == before


def test_mistakes_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "results.jsonl"
    monkeypatch.setattr(sys, "argv", ["widths", str(path), "--only-table"])
    with pytest.raises(UserError, match="has no run of these tasks"):
        command.main()
    path.write_text(json.dumps({"task": "hue_0"}) + "\n")
    with pytest.raises(UserError, match="a line that is no result"):
        command.main()
