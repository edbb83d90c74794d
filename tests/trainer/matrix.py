"""Every stage of the trainer under every combination of precision, workers and processes.

`test_matrix.py` calls `check_cells` for one process, and starts this module with torchrun for two.
"""

from __future__ import annotations

import csv
import itertools
import os
import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from lightning_modules.callbacks.prediction_writer import PredictionWriter
from lightning_modules.launching.run import silence_harmless_warnings
from lightning_modules.predicting.files import FilesToPredict
from tests.trainer.tools import QUIET, ROOT, build

PRECISIONS = ("32-true", "bf16-mixed")
WORKERS = (0, 2)
BATCHES, BATCH = 3, 12
SETTINGS = ["model=small_cnn", "model.width=8", "augment=randaugment", "trainer.max_epochs=1", "logger=none"]
SETTINGS += [f"trainer.limit_train_batches={BATCHES}", "callbacks.learning_rate=null", "callbacks.logs=null"]
SETTINGS += [setting for setting in QUIET if not setting.startswith(("trainer=", "logger="))]


class Look(pl.Callback):
    """Check what the network sees in training, and that the sanity check leaves no trace."""

    def __init__(self, data: Any) -> None:
        self.data = data
        self.batches = 0

    def on_sanity_check_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.before = flat(pl_module)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert torch.equal(flat(pl_module), self.before)
        assert not trainer.callback_metrics
        assert pl_module.training
        assert all(loss.weight == 0 for loss in pl_module.losses.values())
        pl_module.backbone.register_forward_pre_hook(self.keep)

    def keep(self, module: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
        self.images = inputs[0].detach().clone()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, _: int
    ) -> None:
        alone = self.data.splits.train.__getitems__(batch.index.flip(0).tolist())
        expected = pl_module.augmented(alone).image.flip(0)  # without autocast, in another order
        assert self.images.dtype == torch.float32
        assert torch.equal(self.images, expected)
        assert outputs["loss"].isfinite()
        self.batches += 1


def check_cells(processes: int, folder: Path) -> int:
    """Run every stage in all combinations with this number of processes, and return the number of cells."""
    trained: dict[tuple[str, int], torch.Tensor] = {}
    counted: dict[tuple[str, int, str], float] = {}
    for precision, workers in itertools.product(PRECISIONS, WORKERS):
        cell = (precision, workers)
        trainer, model, data = build(configured(processes, folder / f"{precision}-{workers}", precision, workers))
        look = Look(data)
        trainer.callbacks.append(look)
        trainer.fit(model, data)
        assert look.batches == trainer.global_step == BATCHES, cell
        assert not torch.equal(flat(model), look.before), cell
        assert all(weight.dtype == torch.float32 for weight in model.parameters()), cell
        trained[cell] = flat(model)
        everywhere = trainer.strategy.all_gather(trained[cell])
        assert all(torch.equal(weights, trained[cell]) for weights in everywhere.view(-1, len(trained[cell]))), cell
        for name, start in (("val", trainer.validate), ("test", trainer.test)):
            (metrics,) = start(model, data, verbose=False)
            counted[*cell, name] = metrics[f"{name}/acc"]
            right = metrics[f"{name}/acc"] * len(getattr(data.splits, name))
            assert abs(right - round(right)) < 1e-3, (cell, name)  # no sample was counted twice
            if precision == "32-true":
                assert abs(metrics[f"{name}/acc"] - accuracy(model, getattr(data.splits, name))) < 1e-6, cell
        counted[*cell, "predict"] = predicted(trainer, model, folder, workers)
        if precision == "32-true":
            expected = model.predict(sorted((folder / "images").iterdir()))
            assert abs(counted[*cell, "predict"] - float(expected.max(1).values.sum())) < 1e-4, cell
    for precision in PRECISIONS:
        one, two = (trained[precision, workers] for workers in WORKERS)
        assert torch.equal(one, two), precision
        for name in ("val", "test", "predict"):
            assert counted[precision, 0, name] == counted[precision, 2, name], (precision, name)
    return 2 * len(trained) + len(counted)  # sanity and fit, validate, test and predict


def configured(processes: int, folder: Path, precision: str, workers: int) -> DictConfig:
    chosen = [f"trainer.precision={precision}", f"data.num_workers={workers}", f"data.batch_size={BATCH // processes}"]
    trainer = "trainer=cpu" if processes == 1 else "trainer=ddp_cpu"
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("train", [*SETTINGS, trainer, *chosen, f"output_dir={folder}"])


def predicted(trainer: pl.Trainer, model: pl.LightningModule, folder: Path, workers: int) -> float:
    """Predict the images in a folder, and return the sum of the probabilities in the table."""
    writer = PredictionWriter(str(folder / f"{trainer.precision}-{workers}.csv"))
    trainer.callbacks.append(writer)
    trainer.predict(model, FilesToPredict(str(folder / "images"), 2, workers), return_predictions=False)
    trainer.callbacks.remove(writer)
    trainer.strategy.barrier()  # the first process writes the table
    rows = list(csv.DictReader(writer.path(trainer).open()))
    assert [row["file"] for row in rows] == [str(path) for path in sorted((folder / "images").iterdir())]
    return sum(float(row["probability"]) for row in rows)


def accuracy(model: pl.LightningModule, images: Any) -> float:
    """Count right answers without a trainer."""
    batch = images.__getitems__(list(range(len(images))))
    with torch.no_grad():
        return float((model.eval()(batch.image).argmax(1) == batch.label).float().mean())


def flat(model: pl.LightningModule) -> torch.Tensor:
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


if __name__ == "__main__":
    torch.set_num_threads(1)
    silence_harmless_warnings()
    folder = Path(sys.argv[1])
    checked = check_cells(2, folder)
    # a file for each process: lines that two processes print can mix
    (folder / f"cells_{os.environ['RANK']}").write_text(str(checked))
