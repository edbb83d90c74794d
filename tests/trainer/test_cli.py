"""The Lightning command line with conf/cli."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import lightning_modules
from lightning_modules.cli import main
from lightning_modules.model.losses import Binary
from tests.trainer.tools import ROOT

CONFIGS = sorted((ROOT / "conf" / "cli").glob("*.yaml"))
QUICK = [
    "--trainer.accelerator=cpu",
    "--trainer.max_epochs=1",
    "--trainer.limit_train_batches=2",
    "--trainer.limit_val_batches=2",
    "--trainer.enable_progress_bar=false",
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_fit_then_resume_and_test(config: Path, tmp_path: Path) -> None:
    common = [f"--config={config}", *QUICK, f"--trainer.default_root_dir={tmp_path}", "--seed_everything=7"]
    cli = main(["fit", *common])
    assert cli.model.augment.seed == cli.datamodule.seed == 7
    assert len(list(tmp_path.rglob("config.yaml"))) == 1
    (last,) = tmp_path.rglob("last.ckpt")
    loaded = lightning_modules.load(last)
    assert (loaded.class_names, loaded.channels) == (list("0123456789"), 1)
    assert loaded.config is not None
    assert loaded.config["backbone"]["_target_"] == "lightning_modules.model.backbones.timm_backbone"
    main(["fit", *common, f"--ckpt_path={last}", "--trainer.max_epochs=2"])
    main(["test", *common, f"--ckpt_path={last}"])


def test_another_schedule_loss_and_layers(tmp_path: Path) -> None:
    schedule = {"class_path": "torch.optim.lr_scheduler.StepLR", "init_args": {"step_size": 1, "gamma": 0.5}}
    layers = [
        {"class_path": "augment.Resize", "init_args": {"size": [32, 32]}},
        {"class_path": "augment.RandomMixUp", "init_args": {"lambda_val": [0.2, 0.8]}},
        {"class_path": "augment.Normalize", "init_args": {"mean": 0.3, "std": [0.4]}},
    ]
    extra = tmp_path / "extra.yaml"
    loss = {"class_path": "lightning_modules.model.losses.Binary", "init_args": {"label_smoothing": 0.1}}
    extra.write_text(yaml.safe_dump({"model": {"scheduler": schedule, "loss": loss, "augment": layers}}))
    cli = main(["fit", f"--config={CONFIGS[0]}", f"--config={extra}", *QUICK, f"--trainer.default_root_dir={tmp_path}"])
    assert isinstance(cli.model.loss, Binary)
    assert cli.model.loss.label_smoothing == 0.1
    (saved,) = tmp_path.rglob("config.yaml")
    kept = yaml.safe_load(saved.read_text())["model"]["augment"]
    assert [layer["class_path"].rpartition(".")[2] for layer in kept] == ["Resize", "RandomMixUp", "Normalize"]
