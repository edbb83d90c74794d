"""What a run shows: its log, pictures of augmented batches, its speed, and the report."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from omegaconf import DictConfig
from PIL import Image

from lightning_modules.model.finite_weights import NonFiniteError
from lightning_modules.reporting import clock as clocks
from lightning_modules.reporting.clock import Clock
from lightning_modules.reporting.predictions import Predictions
from lightning_modules.reporting.report import Report
from lightning_modules.reporting.throughput import Throughput
from tests.trainer.tools import build, run_train


def test_predictions_count_confusions_and_keep_the_most_wrong() -> None:
    logits, label = torch.randn(50, 4, generator=torch.Generator().manual_seed(1)), torch.arange(50) % 4
    losses = torch.nn.functional.cross_entropy(logits, label, reduction="none")
    padded = label.clone()
    padded[-3:] = -100
    found = Predictions(4, torch.device("cpu"), most=5)
    for rows in torch.arange(50).split(16):
        found.add(logits[rows], padded[rows], rows + 100, losses[rows])
    predicted = logits.argmax(1)
    expected = torch.zeros(4, 4, dtype=torch.int64)
    for true, taken in zip(label[:-3].tolist(), predicted[:-3].tolist(), strict=True):
        expected[true, taken] += 1
    assert torch.equal(found.confusion, expected)
    wrong = [n for n in range(47) if predicted[n] != label[n]]
    worst = sorted(wrong, key=lambda n: -losses[n])[:5]
    assert (found.index - 100).tolist() == worst
    assert found.label.tolist() == label[worst].tolist()
    assert found.predicted.tolist() == predicted[worst].tolist()
    assert found.per_class()[1][1] == expected[1, 1] / expected[1].sum()


def test_the_clock_adds_up(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([1.0, 1.25, 7.0, 7.5])
    monkeypatch.setattr(clocks, "time", SimpleNamespace(perf_counter=moments.__next__))
    clock = Clock(torch.device("cpu"))
    for _ in range(2):
        begun = clock.now()
        clock.add("network", begun, clock.now())
    clock.add_seconds("data", 1.5)
    assert clock.seconds() == {"network": 0.75, "data": 1.5}
    assert clock.seconds() == {"network": 0.75, "data": 1.5}, "counted once"


def test_a_run_writes_its_log_pictures_and_report(tmp_path: Path) -> None:
    """One run from the command line, with mixed labels."""
    words = ["experiment=smoke", "augment=mixing", "callbacks=report", "callbacks.report.every=1", "trainer=cpu"]
    ended = run_train(tmp_path, *words, "trainer.limit_train_batches=8", "hydra.run.dir=out", "seed=3")
    assert ended.returncode == 0, ended.stderr
    out = tmp_path / "out"
    log = (out / "train.log").read_text()
    assert "fit on 1 x cpu, 10 classes, images: 1" in log
    assert "train/loss" in log
    assert "tested: " in log
    assert "test/acc" in log
    for name in ("first_batch.png", "samples/epoch-0.png", "samples/epoch-1.png"):
        picture = Image.open(out / name)
        assert len(picture.getcolors(picture.width * picture.height)) > 50
    page = (out / "report.html").read_text()
    assert page.count("<svg") == 1
    assert 'src="data:' in page
    assert 'src="http' not in page
    for heading in ("Results", "Curves", "Confusions", "Most wrong images", "Augmented samples", "Environment"):
        assert f"<h2>{heading}</h2>" in page, heading
    told = (out / "report.md").read_text()
    assert "| augment | mixing |" in told
    assert "| seed | 3 |" in told
    assert "## Classes of test" in told
    assert "| images per second | " in told
    assert "| torch | " in told
    parts = ("| data |", "| augmentation |", "| network |")
    shares = [float(line.split("|")[2].strip(" %")) for line in told.splitlines() if line.startswith(parts)]
    assert len(shares) == 3
    assert sum(shares) == pytest.approx(100, abs=0.2)


def test_the_log_says_why_a_run_ended(configure: Callable[..., DictConfig], tmp_path: Path) -> None:
    handler = logging.FileHandler(tmp_path / "train.log")
    logging.getLogger().addHandler(handler)
    try:
        trainer, model, data = build(configure("experiment=smoke", "optimizer.lr=1e30"))
        with pytest.raises(NonFiniteError):
            trainer.fit(model, data)
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
    assert "ended by NonFiniteError: " in (tmp_path / "train.log").read_text()


def test_what_the_pictures_show_is_what_the_network_sees(configure: Callable[..., DictConfig]) -> None:
    cfg = configure("experiment=smoke", "callbacks=report")
    trainer, model, data = build(cfg)
    seen = []
    model.backbone.register_forward_pre_hook(
        lambda module, inputs: seen.append(inputs[0].clone()) if model.training else None
    )
    trainer.fit(model, data)
    report = next(callback for callback in trainer.callbacks if isinstance(callback, Report))
    speed = next(callback for callback in trainer.callbacks if isinstance(callback, Throughput))
    first = next(images for images in seen if len(images) == 8)
    shown = (first * 0.3760 + 0.3053).mul(255).round().clamp(0, 255)[0, 0]
    enlarged = torch.frombuffer(bytearray(report.samples[0].picture.convert("L").tobytes()), dtype=torch.uint8)
    assert (enlarged.view(96, 96)[1::3, 1::3] - shown).abs().max() <= 1
    assert len(report.history) == 2
    assert sum(value for name, value in speed.summary().items() if name != "images/s") == pytest.approx(1)
    assert speed.summary()["augmentation"] > 0, "a run of few batches measures too"
