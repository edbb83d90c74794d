"""The summary of a multirun, which groups runs that differ only in their seed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from lightning_modules.errors import UserError
from lightning_modules.sweeps import compare


def write_run(folder: Path, number: int, accuracy: float | None, *overrides: str) -> None:
    run = folder / str(number)
    for name in (".hydra", "csv"):
        (run / name).mkdir(parents=True)
    OmegaConf.save(list(overrides), run / ".hydra" / "overrides.yaml")
    tested = "" if accuracy is None else f"1,,{accuracy}\n"
    (run / "csv" / "metrics.csv").write_text(f"epoch,val/acc,test/acc\n0,0.1,\n{tested}")


@pytest.fixture
def multirun(tmp_path: Path) -> Path:
    for number, (augment, accuracy) in enumerate([("none", 0.5), ("none", 0.7), ("light", 0.8), ("light", None)]):
        write_run(tmp_path, number, accuracy, f"augment={augment}", f"seed={number % 2}", "trainer=cpu")
    return tmp_path


def test_runs_are_grouped_by_what_was_chosen(multirun: Path) -> None:
    """Overrides shared by all runs are omitted, and untested runs are skipped."""
    assert compare.accuracies(multirun) == {"augment=none": [0.5, 0.7], "augment=light": [0.8]}


def test_table(multirun: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(sys, "argv", ["compare", str(multirun)])
    compare.main()
    none, light = (line.split() for line in capsys.readouterr().out.splitlines() if "augment=" in line)
    assert [word for word in none if word[0] not in "│┃"] == ["augment=none", "2", "60.00", "14.14", "50.00", "70.00"]
    assert [word for word in light if word[0] not in "│┃"] == ["augment=light", "1", "80.00", "80.00", "80.00"]


def test_a_folder_without_runs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no finished runs with test/acc; give the folder of a multirun"):
        compare.accuracies(tmp_path)
