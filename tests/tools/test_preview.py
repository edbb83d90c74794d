"""The preview draws a sheet, keyed by seed and epoch, with captions that say what happened."""

import re
from pathlib import Path

import pytest
import torch
import torch._dynamo
from PIL import Image

import augment as A
from augment.tools.preview.captions import caption
from tests.tools.commands import failure, run
from tests.unchecked import import_unchecked

plain = import_unchecked("tests.speed_recipes")  # run-time type checks cannot be compiled


@pytest.fixture
def photos_folder(photos, tmp_path):
    for i in range(3):
        Image.fromarray(photos[i].permute(1, 2, 0).numpy()).save(tmp_path / f"photo{i}.png")
    return tmp_path


YAML = """
_target_: augment.Pipeline
_args_:
  - _target_: augment.Resize
    size: ["${data.size}", "${data.size}"]
  - _target_: augment.RandomRotation
    degrees: 30
    p: 1.0
"""


@pytest.mark.parametrize("recipe", ["light", "recipe.yaml", "Resize((32, 32)), RandomMixUp(num_classes=2)"])
def test_preview_draws_a_sheet(recipe, photos_folder):
    (photos_folder / "recipe.yaml").write_text(YAML)
    recipe = photos_folder / recipe if recipe.endswith(".yaml") else recipe
    output = photos_folder / "sheets.png"
    run("preview", recipe, photos_folder, output, "--grid", "2x3", "--size", 32)
    sheet = Image.open(output)
    assert sheet.width == 4 * (32 + 6) + 6, "the original and three draws"
    assert sheet.height > 2 * 32
    assert len(sheet.getcolors(sheet.width * sheet.height)) > 100


def test_preview_warns_once_without_compiled_kernels(photos_folder, capsys, monkeypatch):
    words = ("preview", "light", photos_folder / "photo0.png", photos_folder / "x.png", "--grid", "1x1")
    monkeypatch.setattr("augment.kernels.cpu.library.AVAILABLE", True)
    run(*words)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("augment.kernels.cpu.library.AVAILABLE", False)
    run(*words)
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("warning: augment's CPU kernels were not compiled during installation, and torch's are sev")
    command = re.search(r"; install g\+\+, then run: (\S+) -m pip install --no-deps -e \"(.*)\"$", said)
    assert Path(command[1]).exists()
    assert (Path(command[2]) / "pyproject.toml").exists()


@pytest.mark.parametrize("tool", ["preview", "doctor"])
def test_a_file_builds_only_layers_unless_it_is_trusted(tool, photos_folder, capsys):
    file, made = photos_folder / "recipe.yaml", photos_folder / "made"
    file.write_text(f"_target_: pathlib.Path.mkdir\n_args_: [{{_target_: pathlib.Path, _args_: ['{made}']}}]")
    words = (tool, str(file), *([str(photos_folder), str(photos_folder / "x.png")] if tool == "preview" else []))
    said = failure(capsys, *words)
    assert f"{file}: _target_='pathlib.Path.mkdir' is not a layer, distribution or preset of augment" in said
    assert "add --trust" in said
    assert not made.exists()
    assert "its _target_ creates a NoneType, not a layer" in failure(capsys, *words, "--trust")
    assert made.exists()


def test_preview_is_keyed_by_seed_and_epoch(photos_folder):
    def sheet(*options):
        output = photos_folder / "again" / "sheet.png"
        output.parent.mkdir(exist_ok=True)
        run("preview", "RandomRotation(30, p=1.0)", photos_folder / "photo0.png", output, "--grid", "1x2", *options)
        return output.read_bytes()

    assert sheet() == sheet("--seed", 0)
    assert len({sheet(), sheet("--seed", 1), sheet("--epoch", 5)}) == 3


def test_captions_say_what_happened():
    pipeline = A.Pipeline(A.RandomRotation((10.0, 10.0), p=1.0), A.RandomHorizontalFlip(p=0.0), A.Normalize(0.5, 0.5))
    told = pipeline.explain(torch.zeros(pipeline.draws), (8, 8))
    assert caption(told, 40) == ["Rotation degrees=10"]
    still = A.Pipeline(A.RandomHorizontalFlip(p=0.0))
    assert caption(still.explain(torch.zeros(still.draws), (8, 8)), 40) == ["unchanged"]
