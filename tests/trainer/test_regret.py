"""The table of regrets: what is run, what is skipped, and the numbers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lightning_modules.errors import UserError
from lightning_modules.regret import __main__ as command
from lightning_modules.regret import cells, results
from lightning_modules.regret.cells import Cell
from lightning_modules.regret.compared import difference
from lightning_modules.regret.methods import family, randaugments, rivals
from lightning_modules.regret.table import best, regret
from tests.trainer.tools import ROOT

SHORT = ["trainer.max_steps=2", "trainer.limit_test_batches=2"]


def test_the_choice_of_the_oracle_ignores_other_seeds_tasks_and_methods() -> None:
    done = [
        Cell("size", "flip", 100, 0.6, 1.0),
        Cell("size", "none", 100, 0.5, 1.0),
        Cell("size", "flip", 101, 0.2, 1.0),
        Cell("size", "none", 101, 0.5, 1.0),
        Cell("size", "learned", 100, 0.9, 1.0),
        Cell("colour", "none", 100, 0.9, 1.0),
    ]
    assert best(done, "size", ["flip", "none"], [100]) == "flip"
    assert best(done, "size", ["flip", "none"], [100, 101]) == "none"
    assert best(done, "size", ["flip"], [7]) is None


def test_regret_and_gain_are_paired_by_seed() -> None:
    values = {"none": (0.50, 0.60, 0.1), "flip": (0.70, 0.72), "learned": (0.60, 0.68, 0.9)}
    done = [Cell("size", name, seed, acc, 1.0) for name, accs in values.items() for seed, acc in enumerate(accs)]
    found = regret(done, "size", "learned", "flip", [0, 1, 2])
    assert found is not None
    assert found.seeds == 2  # the oracle lacks the third
    assert found.accuracy == pytest.approx(64)
    assert found.regret == pytest.approx((10 + 4) / 2)
    assert found.gain == pytest.approx((10 + 8) / 2)
    assert found.error == pytest.approx(1.0)
    assert regret(done, "size", "learned", "flip", [5]) is None


def test_a_family_has_every_operator_at_every_width() -> None:
    assert len(family()) == 1 + 6 * 4 + 1 + 4
    assert len(randaugments()) == 4
    assert {"none", "learned"} <= set(rivals())


def test_the_command_runs_what_is_missing_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "results.jsonl"
    for method in {**family(), **randaugments()}:  # the search is done
        if method != "flip":
            results.append(path, Cell("size", method, 100, 0.4 + 0.1 * (method == "scale 0.3"), 1.0))
    for method in ("trivialaugment", "learned", "staircase"):
        results.append(path, Cell("size", method, 3, 0.5, 1.0))
    given = [str(path), "--tasks", "size", "--seeds", "3", "--conf", str(ROOT / "conf"), "--override", *SHORT]
    monkeypatch.setattr(sys, "argv", ["regret", *given])
    command.main()
    ran = [(cell.method, cell.seed) for cell in cells.read(path)[len(family()) + len(randaugments()) + 2 :]]
    oracle, magnitude = (best(cells.read(path), "size", list(among), [100]) for among in (family(), randaugments()))
    assert ran[0] == ("flip", 100)
    assert set(ran[1:]) == {("none", 3), (oracle, 3), (magnitude, 3)}
    assert len(ran) == len(set(ran))
    before = path.read_text()
    assert "size" in capsys.readouterr().out
    command.main()
    assert path.read_text() == before


def test_methods_are_compared_without_a_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "results.jsonl"
    for seed, (none, flip) in enumerate([(0.5, 0.6), (0.5, 0.64), (0.5, 0.65)]):
        results.append(path, Cell("size", "none", seed, none, 1.0))
        if seed < 2:
            results.append(path, Cell("size", "flip", seed, flip, 1.0))
    done = cells.read(path)
    assert difference(done, "size", "flip", "none") == pytest.approx((12.0, 2.0, 2))
    assert difference(done, "size", "flip", "none", seeds=[1]) == pytest.approx((14.0, float("nan"), 1), nan_ok=True)
    assert difference(done, "size", "flip", "none", seeds=[2]) is None
    given = ["--tasks", "size", "--seeds", "0", "1", "--methods", "none", "flip", "--conf", str(ROOT / "conf")]
    monkeypatch.setattr(sys, "argv", ["regret", str(path), *given])
    command.main()
    assert "+12.0 ± 2.0" in capsys.readouterr().out
    assert cells.read(path) == done


def test_mistakes_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "results.jsonl"
    monkeypatch.setattr(sys, "argv", ["regret", str(path), "--seeds", "100"])
    with pytest.raises(UserError, match="no seed in common"):
        command.main()
    monkeypatch.setattr(sys, "argv", ["regret", str(path), "--only-table"])
    with pytest.raises(UserError, match="no search for task='rotated'"):
        command.main()
    path.write_text("{}\n")
    with pytest.raises(UserError, match="a line that is no result"):
        command.main()
