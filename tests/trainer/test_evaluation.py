"""Evaluation: what it counts, that several processes count the same, and what it writes."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

import augment as A
from lightning_modules.errors import UserError
from lightning_modules.evaluation.callback import Evaluation
from lightning_modules.evaluation.corrupted import chosen
from lightning_modules.evaluation.report import Report
from lightning_modules.launching.settings import check_settings, switched_off
from tests.trainer.tools import QUIET, build, run_train

NAMES = ["fog", "gaussian_noise"]


def test_counts_equal_a_loop_over_the_images(configure: Callable[..., DictConfig], tmp_path: Path) -> None:
    trainer, model, data = build(configure("data.batch_size=50", "callbacks=none"))
    trainer.callbacks.append(Evaluation(str(tmp_path), NAMES, seed=3))
    (tested,) = trainer.test(model, data, verbose=False)
    found = json.loads((tmp_path / "evaluation.json").read_text())
    images = data.splits.test
    batch = images.__getitems__(list(range(len(images))))
    with torch.no_grad():
        answers = model.eval()(batch).argmax(1)
        resized = A.Pipeline(*list(model.preprocess.layers)[:-1], dtype="uint8").eval()(batch)
        fog = A.presets.imagenet_c("fog", 2, seed=3, compile=False)(resized)
        foggy = model.backbone(model.preprocess.layers[-1](fog.image)).argmax(1)
    right = answers == batch.label
    assert found["images"] == len(images) == sum(map(sum, found["confusion"]))
    assert found["accuracy"] == pytest.approx(right.float().mean().item()) == pytest.approx(tested["test/acc"])
    pairs = torch.bincount(batch.label * 10 + answers, minlength=100)  # an untrained network prefers some answers
    assert found["confusion"] == pairs.view(10, 10).tolist()
    assert found["class_accuracies"][7] == pytest.approx(right[batch.label == 7].float().mean().item())
    assert found["corruptions"]["fog"][1] == pytest.approx((foggy == batch.label).float().mean().item())
    assert 0 <= found["calibration_error"] <= 1
    rows = list(csv.DictReader((tmp_path / "evaluation.csv").open()))
    assert [row["name"] for row in rows if row["measure"] == "class_accuracy"] == images.classes
    assert len([row for row in rows if row["measure"] == "corrupted_accuracy"]) == 10


def test_two_processes_count_what_one_does(configure: Callable[..., DictConfig], tmp_path: Path) -> None:
    short = ["trainer.max_epochs=1", "trainer.limit_train_batches=4", "trainer.limit_val_batches=1"]
    given = ["evaluate=true", f"evaluate.corruptions=[{','.join(NAMES)}]", "trainer=ddp_cpu", "data.batch_size=31"]
    ended = run_train(tmp_path, *QUIET, *short, *given, "hydra.run.dir=two")
    assert ended.returncode == 0, ended.stderr
    assert "accuracy of corrupted images" in ended.stdout
    trainer, model, data = build(configure("data.batch_size=70", "callbacks=none"))
    trainer.callbacks.append(Evaluation(str(tmp_path / "one"), NAMES, seed=0))
    trainer.test(model, data, str(tmp_path / "two" / "checkpoints" / "best.ckpt"), verbose=False, weights_only=True)
    one, two = (json.loads((tmp_path / name / "evaluation.json").read_text()) for name in ("one", "two"))
    assert one.pop("calibration_error") == pytest.approx(two.pop("calibration_error"), abs=1e-6)
    assert one == two


def test_a_class_without_images_has_no_accuracy() -> None:
    report = Report(["a", "b"], [[3, 1], [0, 0]], 0.0, {})
    assert report.class_accuracies == [0.75, None]
    assert report.corruption_accuracy is None


def test_wrong_settings_are_refused(configure: Callable[..., DictConfig]) -> None:
    assert switched_off(["evaluate=true", "evaluate=false"]) == ["evaluate=standard", "evaluate=none"]
    with pytest.raises(UserError, match="corruptions='mist' must be all, or one of gaussian_noise"):
        chosen(["fog", "mist"], "imagenet_c")
    with pytest.raises(UserError, match="holds a name twice"):
        chosen(["fog", "fog"], "cifar_c")
    with pytest.raises(UserError, match="evaluate needs the test"):
        check_settings(configure("evaluate=true", "test=false"))
    with pytest.raises(UserError, match="strength='mnist_c' must be one of imagenet_c, cifar_c"):
        chosen("all", "mnist_c")
    assert instantiate(configure("evaluate=imagenet_c").evaluate).names == list(A.presets.IMAGENET_C)
    assert instantiate(configure("evaluate=cifar_c").evaluate).names == list(A.presets.CIFAR_C)
