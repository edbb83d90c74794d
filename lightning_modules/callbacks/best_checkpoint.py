"""The best checkpoint of a run, including a run that was interrupted and resumed in another folder."""

from __future__ import annotations

import os
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities import rank_zero_warn

from augment.data.known import known
from lightning_modules.saving.saved import copy_whole, step_of

Scores = dict[str, torch.Tensor]
"""Path of a checkpoint -> its value of the monitored metric."""


class BestCheckpoint(ModelCheckpoint):
    """Keep `best.ckpt`: the state with the best value of the monitored metric in the whole run.

    A resumed run remembers the best checkpoint so far. If it writes to another folder, it copies that checkpoint there,
    after looking for it at its old path and next to the checkpoint that it resumes from.

    Args:
        dirpath: folder of the files; None uses the logger's folder.
        filename: name of the best checkpoint, without .ckpt. If it contains placeholders such as "{epoch}", it names
            the other checkpoints that `save_top_k` keeps, and the best one is called best.ckpt.
        monitor: name of the metric.
        mode: "max" if a larger value is better, otherwise "min".
        save_top_k: how many of the best checkpoints to keep. 0 and 1 keep only the best. A larger number, or -1 for
            all, keeps each checkpoint under its own name with epoch and step, plus a copy of the best as best.ckpt.
        options: further arguments of ModelCheckpoint.
    """

    def __init__(
        self,
        dirpath: str | None = None,
        filename: str = "best",
        monitor: str | None = "val/acc",
        mode: str = "max",
        save_top_k: int = 1,
        **options: Any,
    ) -> None:
        fills_in = "{" in filename
        self.best_name = "best.ckpt" if fills_in else f"{filename}.ckpt"
        if save_top_k not in (0, 1) and not fills_in:
            filename += "-epoch{epoch:03d}-step{step}"  # "=" in a name requires quotes on the command line
            options.setdefault("auto_insert_metric_name", False)
        super().__init__(
            dirpath,
            filename,
            monitor,
            mode=mode,
            save_top_k=save_top_k or 1,
            enable_version_counter=False,  # the name never changes
            **options,
        )
        self.best_step = 0

    @property
    def best_file(self) -> str:
        """Path of the file that always holds the best state."""
        return os.path.join(self._folder, self.best_name)

    @property
    def _folder(self) -> str:
        """The folder of the checkpoints, which is known once a run has begun."""
        return str(known(self.dirpath))

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Do nothing: the state at an exception is not the best one, and LastCheckpoint saves it."""

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"best_step": self.best_step}

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        state = checkpoint["callbacks"].get(self.state_key)
        if state is None:
            return
        if trainer.state.fn == TrainerFn.FITTING and state["best_model_score"] is not None:
            state = state | self._carried_over(trainer, state)
        # Lightning discards the best checkpoint if the folder differs
        checkpoint["callbacks"][self.state_key] = state | {"dirpath": self.dirpath}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.best_step = state_dict["best_step"]

    def _save_checkpoint(self, trainer: pl.Trainer, filepath: str) -> None:
        best = filepath == self.best_model_path
        if best:
            self.best_step = trainer.global_step  # the saved file includes this number
        super()._save_checkpoint(trainer, filepath)
        if best and filepath != self.best_file:
            super()._save_checkpoint(trainer, self.best_file)

    def _remove_checkpoint(self, trainer: pl.Trainer, filepath: str) -> None:
        if filepath != self.best_file:  # it may be one of the k best if the run began with save_top_k=1
            super()._remove_checkpoint(trainer, filepath)

    def _carried_over(self, trainer: pl.Trainer, state: dict[str, Any]) -> dict[str, Any]:
        """Return the entries of an earlier run's state that must change for this run and its folder."""
        kept = self._kept_scores(state, str(trainer.ckpt_path)) if trainer.is_global_zero else {}
        kept = trainer.strategy.broadcast(kept)
        best = (max if self.mode == "max" else min)(kept, key=kept.__getitem__, default="")
        full = len(kept) == self.save_top_k
        kth = (min if self.mode == "max" else max)(kept, key=kept.__getitem__) if full else ""
        return {
            "best_k_models": kept,
            "best_model_path": best,
            "best_model_score": kept.get(best),
            "kth_best_model_path": kth,
            "kth_value": kept.get(kth, self.kth_value),
        }

    def _kept_scores(self, state: dict[str, Any], resumed: str) -> Scores:
        """Return the scores of the best checkpoints that this run can use; empty if the best one is lost."""
        old, score = state["best_model_path"], state["best_model_score"]
        beside = [os.path.join(os.path.dirname(resumed), name) for name in (os.path.basename(old), self.best_name)]
        places = (old, *beside, resumed)
        best = next((place for place in places if step_of(place) == state["best_step"]), None)
        if best is None:
            rank_zero_warn(
                f"the best checkpoint so far ({self.monitor} {float(score):.4f}) is neither {old} nor beside "
                f"{resumed}: the best from here on counts."
            )
            return {}
        scores: Scores = state["best_k_models"]
        here = best == old and os.path.dirname(old) == self.dirpath and all(map(os.path.isfile, scores))
        if here and (self.save_top_k == -1 or len(scores) <= self.save_top_k):
            return scores
        new = self.best_file if self.save_top_k == 1 else os.path.join(self._folder, os.path.basename(old))
        for path in {new, self.best_file}:
            copy_whole(best, path)
        return {new: score}
