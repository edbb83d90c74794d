"""Exported classifiers answer as their checkpoints do, from Python, ONNX and C++."""

from __future__ import annotations

import importlib.util
import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import augment as A
from augment.__main__ import main
from lightning_modules.__main__ import TOOLS
from lightning_modules.classifier import ImageClassifier
from lightning_modules.errors import UserError
from lightning_modules.exporting.export import write_classifier
from lightning_modules.exporting.formats import runner
from lightning_modules.model.backbones import small_cnn
from lightning_modules.model.description import DESCRIPTION, described

ROOT = Path(__file__).parents[2]
SERVE = ROOT / "docs" / "examples" / "serve_cpp"
NAMES = ["cat", "dog", "red fox", "Kröte", "owl", "eel", "ant"]
BATCHES = ((1, 200, 300), (3, 224, 224), (64, 40, 31), (1, 1080, 1920))
"""(images, height, width)."""


@pytest.fixture(scope="module")
def model() -> ImageClassifier:
    torch.manual_seed(0)
    preprocess = A.Preprocess(32, A.IMAGENET_MEAN, A.IMAGENET_STD)
    model = ImageClassifier(small_cnn(len(NAMES), width=8), [A.Resize(32)], preprocess, len(NAMES), 32).eval()
    model.class_names = NAMES
    return model


@pytest.fixture(scope="module")
def checkpoint(model: ImageClassifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "best.ckpt"
    torch.save({"state_dict": model.state_dict(), DESCRIPTION: described(model)}, path)
    return path


def noise(count: int, height: int, width: int) -> Tensor:
    numbers = torch.Generator().manual_seed(height)
    return torch.randint(0, 256, (count, 3, height, width), dtype=torch.uint8, generator=numbers)


def export(*words: object) -> str:
    """Run the command in a process of its own, without the type checks of the tests, which cannot be traced."""
    command = [sys.executable, "-m", "lightning_modules", "export", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@torch.no_grad()
def test_a_torch_program_takes_decoded_images_of_all_sizes(model, checkpoint, tmp_path):
    file = tmp_path / "best.pt2"
    told = export(checkpoint, "--to", "torch", "--out", file, "--output", "probabilities", "--layout", "bhwc")
    assert re.search(r"best.pt2: [\d.]+ MB, differs from the checkpoint by at most \d\.\de-\d\d", told)
    facts = {"facts.json": ""}
    program = torch.export.load(file, extra_files=facts).module()
    found = json.loads(facts["facts.json"])
    assert json.loads(found["class_names"]) == NAMES
    assert (found["input"], found["output"]) == ("uint8 bhwc", "probabilities")
    assert json.loads(found["versions"])["torch"] in torch.__version__
    for shape in BATCHES:
        images = noise(*shape)
        given = program(images.permute(0, 2, 3, 1).contiguous())
        torch.testing.assert_close(given, model(images).softmax(1), rtol=0, atol=1e-4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.pt2"]


@pytest.mark.skipif(importlib.util.find_spec("onnxruntime") is None, reason="needs onnxruntime and onnxscript")
@torch.no_grad()
def test_an_onnx_program_gives_the_same_for_all_sizes(model, checkpoint, tmp_path):
    import onnxruntime

    file = tmp_path / "best.onnx"
    export(checkpoint, "--to", "onnx", "--out", file)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    assert json.loads(session.get_modelmeta().custom_metadata_map["class_names"]) == NAMES
    for shape in BATCHES:
        images = noise(*shape)
        given = torch.from_numpy(session.run(None, {"images": images.numpy()})[0])
        torch.testing.assert_close(given, model(images), rtol=0, atol=1e-4)


@torch.no_grad()
def test_a_package_answers_alike_from_python_and_from_cpp(model, checkpoint, tmp_path):
    missing = [tool for tool in ("cmake", "g++") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"needs {' and '.join(missing)}")
    package = tmp_path / "best.pt2"
    export(checkpoint, "--to", "aoti", "--out", package, "--output", "probabilities", "--layout", "bhwc")
    pixels = np.asarray(Image.effect_noise((300, 200), 90).convert("RGB"))
    pixels = np.concatenate([pixels, np.roll(pixels, 40, 1) // 2])
    Image.fromarray(pixels).save(tmp_path / "photo.ppm")
    images = torch.from_numpy(pixels)[None]
    expected = model(images.permute(0, 3, 1, 2)).softmax(1)
    torch.testing.assert_close(runner("aoti", package, model.device)(images), expected, rtol=0, atol=1e-4)

    build = tmp_path / "build"
    subprocess.run(["cmake", "-S", SERVE, "-B", build, f"-DTORCH_DIR={torch.__path__[0]}"], check=True)
    subprocess.run(["cmake", "--build", build], check=True)
    done = subprocess.run(
        [build / "serve", package, tmp_path / "photo.ppm", tmp_path / "none.jpg"], capture_output=True, text=True
    )
    assert (done.returncode, "none.jpg cannot be opened" in done.stderr) == (1, True)
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()[1:]]
    values, classes = expected[0].topk(5)
    assert [name for _, name in lines] == [NAMES[number] for number in classes.tolist()]
    np.testing.assert_allclose([float(value) for value, _ in lines], values.numpy(), rtol=0, atol=1e-4)


def test_weights_keep_the_names_of_the_network(model, tmp_path):
    safetensors = pytest.importorskip("safetensors")
    write_classifier(model, "safetensors", tmp_path / "best.safetensors")
    with safetensors.safe_open(tmp_path / "best.safetensors", "pt") as file:
        assert json.loads(file.metadata()["description"])["preprocess"] == model.preprocess.config()
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no dictionary
    again = small_cnn(len(NAMES), width=8)
    again.load_state_dict(weights)
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), model.backbone.parameters(), strict=True))


@pytest.mark.parametrize(
    ("to", "file", "message"),
    [
        ("tflite", "best.pt2", "to='tflite' must be one of torch, onnx, aoti, safetensors"),
        ("onnx", "best.pt2", "must end with .onnx"),
        ("torch", "none/best.pt2", "the folder .*none does not exist"),
    ],
)
def test_what_cannot_be_written_is_told_in_one_sentence(model, to, file, message, tmp_path):
    with pytest.raises(UserError, match=message):
        write_classifier(model, to, tmp_path / file)
    assert not list(tmp_path.iterdir())


REFUSED = """
import sys
from torch import nn
import augment as A
from lightning_modules.classifier import ImageClassifier
from lightning_modules.errors import UserError
from lightning_modules.exporting import export


class CountsWithLen(nn.Module):
    def forward(self, images):
        return images.reshape(len(images), -1)[:, :2]


def attempt(network):
    model = ImageClassifier(network, [A.Resize(8)], A.Preprocess(8, 0.5, 0.5), 2, 8).eval()
    try:
        export.write_classifier(model, "torch", sys.argv[1])
    except UserError as error:
        print(error)


attempt(CountsWithLen())
exported = export.exported
export.exported = lambda served, *others: exported(nn.Sequential(served, nn.Softplus()), *others)
attempt(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)))
"""
"""Writes a network that works for one batch size only, and then another program than the classifier."""


def test_a_network_that_cannot_be_exported_and_a_file_that_answers_otherwise_leave_nothing(tmp_path):
    command = [sys.executable, "-c", REFUSED, str(tmp_path / "best.pt2")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert first.startswith("the network cannot be exported: ")
    assert "read the size of a batch from shape[0]" in first
    assert second.startswith("the exported program differs from the checkpoint by ")
    assert not list(tmp_path.iterdir())


def test_the_example_classifies_photographs_of_several_sizes(model, checkpoint, tmp_path, monkeypatch, capsys):
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file, size in zip(files, ((90, 60), (40, 70)), strict=True):
        Image.effect_noise(size, 90).convert("RGB").save(file)
    monkeypatch.setattr("sys.argv", ["classify.py", str(checkpoint), *map(str, files), "--device", "cpu"])
    runpy.run_path(str(SERVE.parent / "classify.py"), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    for file, line in zip(files, lines, strict=True):
        with torch.no_grad():
            best = NAMES[int(model(A.as_images([file])).argmax())]
        assert line.startswith(f"{file}: {best} 0.")
        assert line.count(",") == 4


def test_the_library_finds_the_command_of_the_trainer(tmp_path, monkeypatch, capsys):
    """The entry point of pyproject.toml, as an installed package has it, leads to the command."""
    found = re.search(r'\[project.entry-points."augment.tools"\]\n(.*)\n', (ROOT / "pyproject.toml").read_text())
    installed = tmp_path / "some_package-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: some-package\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[augment.tools]\n" + found[1].replace('"', "") + "\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["export", "--help"])
    assert ended.value.code == 0
    assert "{torch,onnx,aoti,safetensors}" in capsys.readouterr().out


def test_a_wrong_checkpoint_is_told_in_one_sentence(tmp_path, capsys):
    words = ["export", str(tmp_path / "none.ckpt"), "--to", "torch", "--out", str(tmp_path / "best.pt2")]
    with pytest.raises(SystemExit) as ended:
        main(words, program="python -m lightning_modules", tools=TOOLS)
    assert ended.value.code == 2
    assert "none.ckpt' is not a file" in capsys.readouterr().err
