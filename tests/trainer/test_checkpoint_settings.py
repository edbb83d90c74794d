"""A run that only tests takes the settings of data and network from the checkpoint; the command line wins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from lightning_modules.errors import UserError
from lightning_modules.launching.checkpoint_settings import with_checkpoint
from tests.trainer.tools import QUIET, run_train

TEST = "train=false"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on turned digits of 24 pixels, with another network than the default."""
    folder = tmp_path_factory.mktemp("first")
    own = ("data=turned_digits", "data.size=24", "model=small_cnn", "seed=3", "experiment=smoke", "optimizer.lr=0.01")
    ended = run_train(folder, *QUIET, *own, "hydra.run.dir=run", "test=false")
    assert ended.returncode == 0, ended.stderr
    return folder / "run"


def checkpoint(run: Path) -> Path:
    return run / "checkpoints" / "last.ckpt"


def changed(run: Path, target: Path, *overrides: str) -> str:
    """Write a checkpoint whose run had other overrides, and return the setting that names it."""
    content = torch.load(checkpoint(run), weights_only=True)
    content["description"]["config"]["overrides"] = list(overrides)
    torch.save(content, target)
    return f"ckpt_path={target}"


def test_a_test_takes_what_it_needs_and_the_command_line_wins(run: Path) -> None:
    path = f"ckpt_path={checkpoint(run)}"
    *taken, first, last = with_checkpoint([TEST, path])
    assert [first, last] == [TEST, path]
    assert {"data=turned_digits", "data.size=24", "model=small_cnn", "seed=3", "experiment=smoke"} < set(taken)
    assert not [word for word in taken if word.startswith(("optimizer", "trainer", "logger"))]
    assert with_checkpoint([*taken, TEST, path]) == [*taken, TEST, path], "again, in another process of the run"
    words = with_checkpoint(["data.size=32", TEST, path])
    assert words.count("data.size=32") == 1
    assert "data.size=24" not in words
    words = with_checkpoint([TEST, path, "data=folder", "data.root=photos"])
    assert "data=turned_digits" not in words
    assert "data.size=24" in words, "the network was trained with this size"
    words = with_checkpoint([TEST, "ckpt_path=last", f"hydra.run.dir={run}"])
    assert "data=turned_digits" in words


def test_training_and_predicting_take_nothing(run: Path) -> None:
    path = f"ckpt_path={checkpoint(run)}"
    for words in ([path], [TEST, path, "predict=photos"], [TEST, "ckpt_path=nowhere.ckpt"], [TEST, "ckpt_path=last"]):
        assert with_checkpoint(words) == words


def test_the_test_sees_the_data_and_the_network_of_the_run(run: Path, tmp_path: Path) -> None:
    ended = run_train(tmp_path, *QUIET, TEST, f"ckpt_path={checkpoint(run)}", "hydra.run.dir=test")
    assert ended.returncode == 0, ended.stderr
    assert "settings of the checkpoint: " in ended.stdout
    assert "acc" in json.dumps(json.loads((tmp_path / "test" / "results.json").read_text()))


@pytest.mark.parametrize(
    "override",
    [
        "data.module._target_=os.system",
        "+data.module.extra={_target_:os.system}",
        "data.root=${oc.env:HOME}",
        "data=/tmp/other",
        "model.name=hf-hub:somebody/network",
        "hydra.run.dir=/tmp/elsewhere",
    ],
)
def test_a_setting_that_may_run_code_is_not_taken(run: Path, tmp_path: Path, override: str) -> None:
    path = changed(run, tmp_path / "other.ckpt", "seed=3", override)
    with pytest.raises(UserError, match="may run code: give it again, or another one, or trust"):
        with_checkpoint([TEST, path])
    assert override in with_checkpoint([TEST, path, "trust_checkpoint=true"])
    own = f"{override.partition('=')[0].lstrip('+')}=mine"
    assert override not in with_checkpoint([TEST, path, own])
