"""The comparison at full size: images in memory, the network, and a command that stops in time and goes on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from PIL import Image

from lightning_modules.data.folder import FolderData
from lightning_modules.data.memory_folder import MemoryFolderData
from lightning_modules.errors import UserError
from lightning_modules.model.backbones import resnet9, settings_of
from lightning_modules.model.build import built
from lightning_modules.regret import cells
from lightning_modules.regret import full as command
from tests.trainer.tools import ROOT, write_images

CONF = ROOT / "conf"
SMALL = ["model.width=4", "data.batch_size=8", "trainer.max_epochs=2", "data.module.val_share=0.1", "data.size=16"]


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    for part, count in (("train", 20), ("test", 4)):
        for place, name in enumerate(("ant", "bee")):
            write_images(tmp_path / "photos, all=40" / part / name, count, [(16, 16), (20, 30)], seed=place)
    return tmp_path / "photos, all=40"


def test_images_in_memory_are_those_of_the_folder(photographs: Path) -> None:
    data, files = MemoryFolderData(str(photographs), size=16), FolderData(str(photographs))
    for kept, read in zip(data.splits, files.splits, strict=True):
        assert torch.equal(kept.labels, read.labels)
        pixels = kept.images(range(len(kept)))
        assert pixels.shape == (len(read), 3, 16, 16)
        assert pixels.dtype == torch.uint8
        same = [n for n in range(len(read)) if read.images([n]).shape[-1] == 16]
        assert same
        assert all(torch.equal(pixels[n], read.images([n])[0]) for n in same)
    (first,) = [n for n in range(len(files.splits.test)) if files.splits.test.images([n]).shape[-1] == 30][:1]
    read = files.splits.test.images([first])[0].permute(1, 2, 0).numpy()
    squeezed = np.asarray(Image.fromarray(read).resize((16, 16), Image.Resampling.BILINEAR), np.int16)
    kept = data.splits.test.images([first])[0].permute(1, 2, 0).numpy().astype(np.int16)
    assert np.abs(kept - squeezed).max() <= 1


def test_resnet9_is_a_residual_network_that_remembers_its_settings() -> None:
    network = resnet9(7, channels=1, width=4).eval()
    assert network(torch.rand(2, 1, 32, 32)).shape == (2, 7)
    assert settings_of(network)["width"] == 4
    again = built(settings_of(network), trust=False)  # a checkpoint may name it
    again.load_state_dict(network.state_dict())
    block = network[2]
    with torch.no_grad():
        for convolution in block:
            convolution[0].weight.zero_()
    features = torch.rand(1, 8, 6, 6)
    torch.testing.assert_close(block(features), features)
    assert sum(p.numel() for p in resnet9(10).parameters()) == pytest.approx(6.6e6, rel=0.01)
    with pytest.raises(UserError, match="width=0 must be at least 1"):
        resnet9(10, width=0)


def words(path: Path, root: Path, *further: str) -> list[str]:
    return ["full", str(path), "--root", str(root), "--conf", str(CONF), *further, "--override", *SMALL]


def test_it_stops_in_time_and_goes_on(
    tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "results.jsonl"
    started: list[Any] = []
    fit = pl.Trainer.fit

    def recorded(trainer: pl.Trainer, *given: Any, ckpt_path: Any = None, **options: Any) -> None:
        started.append(ckpt_path)
        fit(trainer, *given, ckpt_path=ckpt_path, **options)

    monkeypatch.setattr(pl.Trainer, "fit", recorded)
    monkeypatch.setattr(sys, "argv", words(path, photographs, "--minutes", "0"))
    command.main()
    assert cells.read(path) == []
    stopped = tmp_path / "results.d" / "none-0"
    overrides = ["experiment=full", "trainer=cpu", "augment=none", f"data.root='{photographs}'", *SMALL]
    cells.train(CONF, [*overrides, "trainer.max_epochs=1"], 0, stopped)  # as if it had been stopped after an epoch
    methods = ["--methods", "none", "staircase", "--seeds", "1", "--minutes", "600"]
    monkeypatch.setattr(sys, "argv", words(path, photographs, *methods))
    command.main()
    assert started == [None, str(stopped / "checkpoints" / "last.ckpt"), None]
    assert [(one.method, one.seed) for one in cells.read(path)] == [("none", 0), ("staircase", 0)]
    assert not list(tmp_path.glob("results.d/*/checkpoints"))
    assert "What was learned" in (tmp_path / "results.d" / "staircase-0" / "policy.md").read_text()
    assert "staircase" in capsys.readouterr().out
    before = path.read_text()
    command.main()
    assert path.read_text() == before


def test_a_run_that_would_end_too_late_does_not_start(
    tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]

    def run(conf: Path, folder: Path, method: str, seed: int, further: list[str]) -> cells.Cell:
        now[0] += 100.0
        return cells.Cell(command.TASK, method, seed, 0.5, 1.0)

    monkeypatch.setattr(command, "run", run)
    monkeypatch.setattr(command.time, "monotonic", lambda: now[0])
    path = tmp_path / "results.jsonl"
    monkeypatch.setattr(sys, "argv", words(path, photographs, "--minutes", "5.5"))  # 330 seconds: three runs of 100
    command.main()
    assert [one.method for one in cells.read(path)] == ["none", "cifar", "trivialaugment"]


def test_mistakes_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", words(tmp_path / "results.jsonl", tmp_path / "missing", "--minutes", "1"))
    with pytest.raises(UserError, match="missing is not a folder"):
        command.main()
