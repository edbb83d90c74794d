"""best.ckpt is the best of the whole run, for any number of kept checkpoints and any folder of a resumed run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from lightning_modules.launching import run
from tests.trainer.tools import build
from train import train

Configure = Callable[..., DictConfig]
SHORT = ["trainer.limit_train_batches=1", "trainer.limit_val_batches=1", "trainer.limit_test_batches=1"]


class Scores(pl.Callback):
    """Log a given score for every epoch."""

    def __init__(self, scores: list[float]) -> None:
        self.scores = scores

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        pl_module.log("score", self.scores[trainer.current_epoch])


def scored(configure: Configure, scores: list[float], *overrides: str) -> DictConfig:
    """Configure a run with one epoch per score; the highest score has the best checkpoint."""
    settings = ["callbacks.best.monitor=score", "+callbacks.scores._target_=tests.trainer.test_best_checkpoint.Scores"]
    return configure(
        *SHORT, *settings, f"+callbacks.scores.scores={scores}", f"trainer.max_epochs={len(scores)}", *overrides
    )


def fit(cfg: DictConfig, resume: Path | None = None) -> tuple[str | None, float | None]:
    trainer, model, data = build(cfg)
    trainer.fit(model, data, ckpt_path=resume, weights_only=True)
    return run.best_of(trainer)


def epoch_of(path: str | Path) -> int:
    return torch.load(path, weights_only=True)["epoch"]


@pytest.mark.parametrize(("save_top_k", "kept"), [(0, 0), (1, 0), (2, 2), (3, 3), (-1, 4)])
def test_it_is_the_best_however_many_are_kept(configure: Configure, tmp_path: Path, save_top_k: int, kept: int) -> None:
    best, score = fit(scored(configure, [0.5, 0.9, 0.7, 0.8], f"+callbacks.best.save_top_k={save_top_k}"))
    folder = tmp_path / "run" / "checkpoints"
    assert score == pytest.approx(0.9)
    assert epoch_of(best) == epoch_of(folder / "best.ckpt") == 1
    assert epoch_of(folder / "last.ckpt") == 3
    others = [epoch_of(path) for path in folder.glob("best-*.ckpt")]
    assert sorted(others) == sorted([1, 3, 2, 0][:kept])


def test_mode_and_names_can_be_chosen(configure: Configure, tmp_path: Path) -> None:
    names = ["callbacks.best.mode=min", "callbacks.best.filename='{epoch}'", "+callbacks.best.save_top_k=2"]
    best, score = fit(scored(configure, [0.5, 0.1, 0.7, 0.8], *names))
    folder = tmp_path / "run" / "checkpoints"
    assert score == pytest.approx(0.1)
    assert epoch_of(best) == epoch_of(folder / "best.ckpt") == 1
    assert {path.name for path in folder.iterdir()} == {"best.ckpt", "epoch=1.ckpt", "epoch=0.ckpt", "last.ckpt"}


@pytest.mark.parametrize("save_top_k", [1, 2])
@pytest.mark.parametrize("case", ["same folder", "new folder", "moved", "old folder deleted afterwards"])
def test_a_resumed_run_remembers_it(configure: Configure, tmp_path: Path, save_top_k: int, case: str) -> None:
    several = f"+callbacks.best.save_top_k={save_top_k}"
    first, folder = tmp_path / "run" / "checkpoints", tmp_path / "run" / "checkpoints"
    fit(scored(configure, [0.9, 0.5], several))
    settings = [several]
    if case != "same folder":
        settings.append(f"output_dir={tmp_path / 'second'}")
        folder = tmp_path / "second" / "checkpoints"
    if case == "moved":
        first = first.rename(tmp_path / "elsewhere")
    best, score = fit(scored(configure, [0.9, 0.5, 0.6, 0.7], *settings), first / "last.ckpt")
    if case == "old folder deleted afterwards":
        shutil.rmtree(first)
    assert score == pytest.approx(0.9)
    assert epoch_of(best) == epoch_of(folder / "best.ckpt") == 0
    assert Path(best).parent == folder
    assert epoch_of(folder / "last.ckpt") == 3


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1), (-1, 2)])
def test_another_number_may_be_kept_after_a_resumption(
    configure: Configure, tmp_path: Path, before: int, after: int
) -> None:
    folder = tmp_path / "run" / "checkpoints"
    fit(scored(configure, [0.3, 0.6, 0.5], f"+callbacks.best.save_top_k={before}"))
    more = scored(configure, [0.3, 0.6, 0.5, 0.4, 0.8, 0.7], f"+callbacks.best.save_top_k={after}")
    best, score = fit(more, folder / "last.ckpt")
    assert score == pytest.approx(0.8)
    assert epoch_of(best) == epoch_of(folder / "best.ckpt") == 4
    still = scored(configure, [0.3, 0.6, 0.5, 0.4, 0.8, 0.7, 0.2], f"+callbacks.best.save_top_k={after}")
    best, score = fit(still, folder / "last.ckpt")
    assert score == pytest.approx(0.8)
    assert epoch_of(best) == epoch_of(folder / "best.ckpt") == 4


def test_it_is_replaced_by_what_is_better_after_a_resumption(configure: Configure, tmp_path: Path) -> None:
    fit(scored(configure, [0.6, 0.5]))
    more = scored(configure, [0.6, 0.5, 0.7, 0.4], f"output_dir={tmp_path / 'second'}")
    best, score = fit(more, tmp_path / "run" / "checkpoints" / "last.ckpt")
    assert score == pytest.approx(0.7)
    assert Path(best) == tmp_path / "second" / "checkpoints" / "best.ckpt"
    assert epoch_of(best) == 2


def test_where_it_is_lost_the_best_from_then_on_counts(configure: Configure, tmp_path: Path) -> None:
    fit(scored(configure, [0.9, 0.5]))
    folder = tmp_path / "run" / "checkpoints"
    (folder / "best.ckpt").unlink()
    with pytest.warns(UserWarning, match=r"best checkpoint so far \(score 0.9000\) is neither"):
        best, score = fit(scored(configure, [0.9, 0.5, 0.6, 0.55]), folder / "last.ckpt")
    assert score == pytest.approx(0.6)
    assert epoch_of(best) == 2


def test_another_file_of_its_name_does_not_take_its_place(configure: Configure, tmp_path: Path) -> None:
    fit(scored(configure, [0.9, 0.5]))
    folder = tmp_path / "run" / "checkpoints"
    shutil.copy(folder / "last.ckpt", folder / "best.ckpt")
    with pytest.warns(UserWarning, match="the best from here on counts"):
        _, score = fit(scored(configure, [0.9, 0.5, 0.6, 0.55]), folder / "last.ckpt")
    assert score == pytest.approx(0.6)


def test_where_it_is_lost_but_the_last_is_as_good_the_last_is_it(configure: Configure, tmp_path: Path) -> None:
    fit(scored(configure, [0.5, 0.9]))
    folder = tmp_path / "run" / "checkpoints"
    (folder / "best.ckpt").unlink()
    best, score = fit(scored(configure, [0.5, 0.9, 0.6, 0.55]), folder / "last.ckpt")
    assert score == pytest.approx(0.9)
    assert epoch_of(best) == epoch_of(folder / "best.ckpt") == 1


def test_a_finished_run_that_is_continued_tests_it(
    configure: Configure, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(scored(configure, [0.9, 0.5]))
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    cfg = scored(configure, [0.9, 0.5], f"output_dir={tmp_path / 'second'}", f"ckpt_path={last}")
    assert train(cfg) == pytest.approx(0.9)
    best = tmp_path / "second" / "checkpoints" / "best.ckpt"
    assert epoch_of(best) == 0
    table = capsys.readouterr().out
    assert str(best) in table.replace("\n", "")
    assert "test/acc" in table
