"""train.py --help: quick, with every choice, and a comment for every setting."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lightning_modules.launching.help_text import comments_of, show_help
from tests.trainer.tools import ROOT

CONF = ROOT / "conf"
BUILDING = ("_target_", "_convert_", "_partial_", "_args_", "_recursive_")
FILES = [CONF / "train.yaml", *sorted(f for f in CONF.glob("*/*.yaml") if f.parent.name not in ("cli", "sweep"))]


def settings(node: dict[str, Any], above: str = "") -> Iterator[str]:
    """Yield the keys that a user may want to set: no references, and nothing for Hydra."""
    for name, value in node.items():
        if name in BUILDING or (not above and name in ("defaults", "hydra")):
            continue
        if isinstance(value, dict) and value:
            yield from settings(value, f"{above}{name}.")
        elif not (isinstance(value, str) and value.startswith("${")):
            yield f"{above}{name}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(CONF).as_posix())
def test_every_setting_has_a_comment(file: Path) -> None:
    text = file.read_text()
    whole = file.parent == CONF or text.startswith("# @package _global_")
    package = "" if whole else f"{file.parent.name}."
    known = comments_of(file, package.rstrip("."))
    if file.parent.name == "experiment":  # comments of what it changes stand in the groups
        for group in (CONF / "train.yaml", *CONF.glob("*/*.yaml")):
            known |= comments_of(group, "" if group.parent == CONF else group.parent.name)
    assert not [name for name in settings(yaml.safe_load(text) or {}) if f"{package}{name}" not in known]


def test_comments_stand_behind_a_key_or_above_it(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("# about the file\nheight: 2 # rows\nwidth: '#' # columns\n")
    file = tmp_path / "some.yaml"
    file.write_text(
        "defaults: [base, _self_]\nheight: 3\npart:\n  # two\n  # lines\n  deep: [1, 2]\n# above\n\nnone: 1\n"
    )
    expected = {"g.height": "rows", "g.width": "columns", "g.part.deep": "two lines"}
    assert comments_of(file, "g") == expected


def test_help_shows_choices_and_comments(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_help(CONF, ["--help", "data=folder", "callbacks=[ema,early_stopping]", "augment=some/file.yaml"]) == 0
    said = capsys.readouterr().out
    assert "  logger: csv, default, mlflow, none, tensorboard, wandb\n" in said
    for line in ("root: ???", "batch_size: 64", "patience: 5", "decay: 0.999"):
        assert any(text.strip().startswith(line) and " # " in text for text in said.splitlines()), line
    assert max(map(len, said.splitlines())) <= 120
    assert "_target_" not in said


def test_help_finds_the_users_own_choices(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# @package _global_\nseed: 4711\n")
    assert show_help(CONF, ["--config-dir", str(tmp_path), "experiment=mine", "--help"]) == 0
    assert "\nseed: 4711 " in capsys.readouterr().out


def test_help_reports_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_help(CONF, ["--help", "lr=0.01"]) == 2
    assert capsys.readouterr().err.startswith("error: unknown setting lr: did you mean optimizer.lr")


def test_help_imports_nothing_that_takes_seconds(tmp_path: Path) -> None:
    program = f"import sys; sys.argv = ['train.py', '--help']; sys.path.insert(0, {str(ROOT)!r}); import train\n"
    program += "try: train.command()\nexcept SystemExit: pass\n"
    program += (
        "print([name for name in ('torch', 'pytorch_lightning', 'augment') if name in sys.modules], file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ended.stderr.strip() == "[]"
    assert "optimizer" in ended.stdout
