"""`python train.py predict=...`: predictions of a checkpoint, whose settings need not be given again."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.table import Table

from lightning_modules.callbacks.prediction_writer import PredictionWriter
from lightning_modules.classifier import ImageClassifier
from lightning_modules.console import screen
from lightning_modules.errors import UserError
from lightning_modules.launching import run
from lightning_modules.launching.settings import check_settings
from lightning_modules.launching.start import absolute
from lightning_modules.loading import load
from lightning_modules.model.checks import check_trainer
from lightning_modules.model.description import described
from lightning_modules.predicting.files import FilesToPredict
from lightning_modules.saving.saved import LAST, last_of_run
from lightning_modules.sweeps.trials import write_results


def predict(cfg: DictConfig) -> None:
    """Predict the images of `cfg.predict` with the model of `cfg.ckpt_path`, and write the table `cfg.predict_to`."""
    check_settings(cfg)
    run.silence_harmless_warnings()
    chosen = last_of_run(cfg.output_dir) if cfg.ckpt_path == LAST else cfg.ckpt_path
    if chosen is None:
        raise UserError("predict needs trained weights: pass ckpt_path=.../best.ckpt.")
    model = load(absolute(chosen), trust=cfg.trust_checkpoint)
    refuse_contradictions(HydraConfig.get().overrides.task if HydraConfig.initialized() else [], cfg, model)
    data = FilesToPredict(absolute(cfg.predict), cfg.data.batch_size, cfg.data.num_workers)
    tta = absolute(cfg.tta) if cfg.tta.endswith((".yaml", ".yml")) else cfg.tta
    writer = PredictionWriter(os.path.expanduser(cfg.predict_to), cfg.predict_top, tta, cfg.tta_views)
    trainer = instantiate(cfg.trainer, callbacks=[writer], logger=False, enable_checkpointing=False)
    check_trainer(trainer)
    run.refuse_distributed_multirun(trainer)
    with run.ending_together(trainer):
        trainer.predict(model, data, return_predictions=False)
    if trainer.is_global_zero:
        write_results(cfg.output_dir, {}, {})  # a sweep over several folders expects it
        table = Table(show_header=False, title="predictions")
        table.add_row("checkpoint", str(chosen))
        table.add_row("predictions", str(writer.path(trainer)))
        if writer.beside(trainer).exists():
            table.add_row("unreadable files", str(writer.beside(trainer)))
        screen().print(table)


def refuse_contradictions(overrides: Iterable[str], cfg: DictConfig, model: ImageClassifier) -> None:
    """Raise UserError for a setting of the command line that differs from the checkpoint's.

    Args:
        overrides: what the command line sets, such as data.size=64.
        cfg: the configuration with these.
        model: the model of the checkpoint.
    """
    found = described(model)
    network, preprocess = found["backbone"] or {}, {"crop": 0.875} | found["preprocess"]
    saved = {f"model.{name}": value for name, value in network.items()} | {"model": network.get("_target_")}
    saved |= {f"preprocess.{name}": value for name, value in preprocess.items()}
    saved |= {f"data.{name}": preprocess.get(name) for name in ("size", "mean", "std", "crop")}
    saved |= {"data.channels": model.channels, "data.num_classes": model.num_classes}
    for override in overrides:
        key = override.partition("=")[0].lstrip("+")
        if key not in saved:
            continue
        given = OmegaConf.select(cfg, "model._target_" if key == "model" else key)
        if _plain(given) != _plain(saved[key]):
            shown = override.partition("=")[2]
            raise UserError(f"{key}={shown} contradicts the checkpoint, which has {saved[key]}: leave {key} out.")


def _plain(value: Any) -> Any:
    """Return a value in which a single number and a list of equal numbers are the same."""
    listed = list(value) if OmegaConf.is_list(value) or isinstance(value, (list, tuple)) else [value]
    return listed[0] if len({str(item) for item in listed}) == 1 else listed
