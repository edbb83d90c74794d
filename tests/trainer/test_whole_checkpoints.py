"""A checkpoint is whole at every moment, and a damaged one ends in one sentence."""

from __future__ import annotations

import multiprocessing
import os
import resource
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from lightning_modules import cli
from lightning_modules.errors import UserError, sentence
from lightning_modules.launching import run
from lightning_modules.saving.saved import WholeCheckpoints, copy_whole, damage
from tests.trainer.tools import ROOT, build

Configure = Callable[..., DictConfig]
SMALL = ["model=small_cnn", "model.width=8", "trainer.limit_train_batches=2", "trainer.limit_val_batches=1"]
SMALL += ["trainer.max_epochs=1", "data.batch_size=8", "trainer.num_sanity_val_steps=0"]


@pytest.fixture
def checkpoint(configure: Configure, tmp_path: Path) -> Path:
    trainer, model, data = build(configure(*SMALL))
    trainer.fit(model, data)
    return tmp_path / "run" / "checkpoints" / "last.ckpt"


def save_forever(path: Path) -> None:
    """Save checkpoints of 40 MB, each filled with another number."""
    number = 0
    while True:
        number += 1
        state = {str(i): torch.full((250_000,), float(number)) for i in range(40)}
        WholeCheckpoints().save_checkpoint({"state_dict": state}, path)


@pytest.mark.parametrize("wait", [0.0, 0.02, 0.1])
def test_a_kill_while_saving_leaves_a_whole_checkpoint(tmp_path: Path, wait: float) -> None:
    path, part = tmp_path / "last.ckpt", tmp_path / "last.ckpt.part"
    saving = multiprocessing.get_context("fork").Process(target=save_forever, args=(path,))
    saving.start()
    end = time.monotonic() + 600
    while not (path.exists() and part.exists()) and time.monotonic() < end:  # it replaces a checkpoint
        time.sleep(0.0005)
    time.sleep(wait)
    saving.kill()
    saving.join()
    assert damage(path) is None
    weights = torch.load(path, weights_only=True)["state_dict"].values()
    assert len(weights) == 40
    assert len({float(value) for weight in weights for value in (weight.min(), weight.max())}) == 1


def test_the_file_is_on_the_disk_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power failure cannot be tried here, so the order of the calls is checked."""
    calls: list[str] = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        calls.append(f"fsync {os.path.basename(os.readlink(f'/proc/self/fd/{descriptor}'))}")
        fsync(descriptor)

    def renamed(source: str, target: str) -> None:
        calls.append(f"rename {os.path.relpath(source, tmp_path)} {os.path.relpath(target, tmp_path)}")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    whole = ["fsync a.ckpt.part", "rename runs/a.ckpt.part runs/a.ckpt", "fsync runs"]
    path = tmp_path / "runs" / "a.ckpt"
    WholeCheckpoints().save_checkpoint({"x": 1}, path)
    assert calls == whole
    calls.clear()
    path.rename(tmp_path / "b.ckpt")
    copy_whole(str(tmp_path / "b.ckpt"), str(path))
    assert calls == whole


def test_every_way_to_train_saves_them(configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[str] = []
    save = WholeCheckpoints.save_checkpoint

    def counted(self: WholeCheckpoints, checkpoint: dict, path: str, storage_options: object = None) -> None:
        saved.append(Path(path).name)
        save(self, checkpoint, path, storage_options)

    monkeypatch.setattr(WholeCheckpoints, "save_checkpoint", counted)
    steps = ["+callbacks.steps._target_=pytorch_lightning.callbacks.ModelCheckpoint"]
    steps += ["+callbacks.steps.every_n_train_steps=1", "+callbacks.steps.save_top_k=-1"]
    trainer, model, data = build(configure(*SMALL, *steps, f"+callbacks.steps.dirpath={tmp_path}"))
    trainer.fit(model, data)
    assert sorted(saved) == ["best.ckpt", "epoch=0-step=1.ckpt", "epoch=0-step=2.ckpt", "last.ckpt"]
    saved.clear()
    quick = ["--trainer.max_epochs=1", "--trainer.limit_train_batches=1", "--trainer.limit_val_batches=1"]
    quick += ["--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"]
    cli.main(["fit", f"--config={ROOT / 'conf/cli/digits.yaml'}", *quick, f"--trainer.default_root_dir={tmp_path}"])
    assert sorted(saved) == ["best.ckpt", "last.ckpt"]


def test_another_checkpoint_io_stays(configure: Configure) -> None:
    class Own(WholeCheckpoints):
        pass

    trainer, model, data = build(configure(*SMALL), plugins=[Own()])
    trainer.fit(model, data)
    assert type(trainer.strategy.checkpoint_io) is Own


def test_a_full_disk_ends_in_one_sentence_and_leaves_the_previous_one(checkpoint: Path) -> None:
    """Limit the file size, so that the operating system refuses to write, as on a full disk."""
    before, limits = checkpoint.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    for size in (10, len(before) // 2, len(before) - 10):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        try:
            with pytest.raises(UserError) as caught:
                WholeCheckpoints().save_checkpoint(torch.load(checkpoint), checkpoint)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert str(caught.value) == (
            f"cannot write to {checkpoint} (File too large): free some disk space; "
            f"continue with ckpt_path={checkpoint}."
        )
        assert checkpoint.read_bytes() == before
        assert {path.name for path in checkpoint.parent.iterdir()} == {"last.ckpt", "best.ckpt"}


def test_a_full_disk_while_a_log_is_written_is_told_as_one() -> None:
    error = OSError(28, "No space left on device", "metrics.csv")
    assert sentence(error) == "cannot write to metrics.csv (No space left on device): free some disk space."


@pytest.mark.parametrize("kind", ["empty", "text", "truncated", "half"])
def test_what_is_no_checkpoint_names_the_one_to_use(checkpoint: Path, kind: str) -> None:
    whole, best = checkpoint.read_bytes(), checkpoint.with_name("best.ckpt")
    content, said = {
        "empty": (b"", "is empty"),
        "text": (b"hello", "is not a checkpoint"),
        "truncated": (whole[:-1], "is truncated or damaged"),
        "half": (whole[: len(whole) // 2], "is truncated or damaged"),
    }[kind]
    checkpoint.write_bytes(content)
    for to_continue in (True, False):
        with pytest.raises(UserError) as caught:
            run.existing_checkpoint(str(checkpoint), to_continue)
        assert str(caught.value) == f"ckpt_path='{checkpoint}' {said}; use ckpt_path={best}."
    best.write_bytes(content)
    with pytest.raises(UserError, match="no other checkpoint in its folder is whole"):
        run.existing_checkpoint(str(checkpoint))


def test_a_flipped_bit_is_noticed_when_it_is_loaded(configure: Configure, checkpoint: Path) -> None:
    content = checkpoint.read_bytes()
    with zipfile.ZipFile(checkpoint) as archive:
        places = [(each.header_offset + 200, each.file_size) for each in archive.infolist()]
    start, size = max(places, key=lambda place: place[1])
    flipped = bytearray(content)
    flipped[start + size // 2] ^= 1
    checkpoint.write_bytes(flipped)
    torch.load(checkpoint, weights_only=True)  # torch does not notice
    best = checkpoint.with_name("best.ckpt")
    trainer, model, data = build(configure(*SMALL, "trainer.max_epochs=2"))
    for start in (trainer.fit, trainer.test):
        with pytest.raises(UserError) as caught:
            start(model, datamodule=data, ckpt_path=str(checkpoint), weights_only=True)
        assert str(caught.value) == (f"ckpt_path='{checkpoint}' is damaged: a checksum differs; use ckpt_path={best}.")
    checkpoint.write_bytes(content)
    trainer.test(model, datamodule=data, ckpt_path=str(checkpoint), weights_only=True, verbose=False)


def test_every_flipped_bit_is_noticed_or_harmless(tmp_path: Path) -> None:
    """A file that passes with any one bit flipped has the contents that were saved."""
    path = tmp_path / "a.ckpt"
    state = {"state_dict": {"a": torch.arange(40.0)}, "epoch": 3}
    WholeCheckpoints().save_checkpoint(state, path)
    content = path.read_bytes()
    assert damage(path) is None
    noticed = 0
    for place in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << (place % 8)
        path.write_bytes(flipped)
        if damage(path) is not None:
            noticed += 1
            continue
        loaded = torch.load(path, weights_only=True)
        assert loaded["epoch"] == 3
        assert torch.equal(loaded["state_dict"]["a"], state["state_dict"]["a"]), place
    assert noticed > 8 * len(content) // 2


def test_a_copy_keeps_its_checksums_and_others_can_load_it(checkpoint: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere.ckpt"
    copy.write_bytes(checkpoint.read_bytes())
    assert damage(copy) is None
    with zipfile.ZipFile(copy) as archive:
        assert all(each.CRC for each in archive.infolist() if each.file_size)
    assert isinstance(torch.load(copy, weights_only=True)["state_dict"], dict)
    assert pl.__version__ == torch.load(copy, weights_only=True)["pytorch-lightning_version"]
