"""Tests of python -m augment bench | step | doctor | preview."""

import functools
import json
import re
import time
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import torch
import torch._dynamo
from PIL import Image

import augment as A
from augment.__main__ import main
from augment.kernels.cpu import library
from augment.tools.bench import measure, work
from augment.tools.bench.measure import implementations, task_of
from augment.tools.bench.recipes import RECIPES
from augment.tools.doctor import diagnose
from augment.tools.errors import ToolError
from augment.tools.preview.captions import caption
from augment.tools.step.training import backbone, steps, training
from tests.unchecked import import_unchecked

plain = import_unchecked("tests.speed_recipes")  # run-time type checks cannot be compiled


def run(*arguments):
    main([str(a) for a in arguments])


def failure(capsys, *arguments):
    """Return the error message that the user sees."""
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 2
    text = capsys.readouterr().err.strip().splitlines()[-1]
    assert text.startswith("error: ")
    return text


# -------------------------------------------------------------------------------------------------------------- bench


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    files = {"--json": "b.json", "--markdown": "b.md", "--plot": "b.svg"}
    paths = [part for option, name in files.items() for part in (option, folder / name)]
    only = "augment eager,kornia eager,torchvision batched,albumentations"
    small = ("--batch", 6, "--size", 20, "--out", 16, "--threads", 1, "--rounds", 2)
    run("bench", "--recipes", "crop_flip,mixing,chain:2", "--only", only, *small, *paths)
    return folder


def test_bench_measures_every_recipe_and_implementation(bench):
    report = json.loads((bench / "b.json").read_text())
    assert report["settings"]["batch"] == 6
    assert report["environment"]["versions"]["torch"]
    assert report["command"].startswith("python -m augment bench --recipes crop_flip")
    rows = {(row["recipe"], row["implementation"]): row for row in report["results"]}
    names = {"augment eager", "kornia eager", "torchvision batched", "albumentations per image"} - {*report["skipped"]}
    assert set(rows) == {(recipe, name) for recipe in ("crop_flip", "mixing", "chain:2") for name in names}
    for (recipe, name), row in rows.items():
        if row["note"]:
            assert (recipe, name) == ("mixing", "albumentations per image"), row["note"]
            continue
        assert row["images_per_s"] > 0
        assert 0 <= row["of_copy"] < 1
        assert row["spread"] >= 0
    ours = rows["crop_flip", "augment eager"]
    assert ours["ratio"] == 1
    assert ours["parameters"] == "per sample"
    assert 0 < ours["passes"] <= ours["kernels"]
    theirs = rows["crop_flip", "kornia eager"]
    assert theirs["ratio"] == pytest.approx(ours["images_per_s"] / theirs["images_per_s"], rel=0.01)


def test_bench_writes_tables_and_a_picture(bench):
    text = (bench / "b.md").read_text()
    assert "### crop_flip" in text
    assert "| augment eager |" in text
    assert "<svg" in (bench / "b.svg").read_text()


def test_an_interrupted_bench_has_written_what_it_measured(tmp_path, monkeypatch):
    done = []

    def stopped(task, recipe, *rest):
        if done:
            raise KeyboardInterrupt
        done.append(recipe)
        return one_recipe(task, recipe, *rest)

    one_recipe = measure._one_recipe
    monkeypatch.setattr(measure, "_one_recipe", stopped)
    small = ("--batch", 2, "--size", 20, "--out", 16, "--threads", 1, "--rounds", 2, "--only", "augment eager")
    with pytest.raises(KeyboardInterrupt):
        run("bench", "--recipes", "crop_flip,jitter", *small, "--json", tmp_path / "b.json")
    (row,) = json.loads((tmp_path / "b.json").read_text())["results"]
    assert row["recipe"] == "crop_flip"


def test_bench_names_what_is_not_installed(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(work, "version", missing)
    found, skipped = implementations([], torch.device("cpu"))
    assert not found
    assert skipped["kornia eager"] == "not installed (pip install kornia)"


def test_everybody_does_the_same_work():
    """Every implementation maps uint8 to floats of the requested size and dtype."""
    bench = import_unchecked("augment.tools.bench.measure")  # DALI does not support run-time type checks
    task = bench.task_of(2, 20, 16, torch.bfloat16, torch.device("cpu"), 1)
    names = ["augment eager", "kornia eager", "torchvision", "DALI"]
    for one in bench.implementations(names, torch.device("cpu"))[0]:
        out = one.build(task, ("resized_crop", "hflip", "normalize"))()
        out = out[0] if isinstance(out, tuple) else out
        assert out.shape == (2, 3, 16, 16), one.name
        assert out.dtype == torch.bfloat16, one.name


# --------------------------------------------------------------------------------------------------------------- step


def test_step_measures_training_with_and_without_augmentation(tmp_path):
    small = ("--batch", 4, "--size", 40, "--out", 32, "--threads", 1, "--rounds", 2, "--backbone", "test_resnet")
    files = ("--json", tmp_path / "s.json", "--markdown", tmp_path / "s.md")
    run("step", "--device", "cpu", "--recipe", "crop_flip", "--only", "augment eager,kornia eager", *small, *files)
    report = json.loads((tmp_path / "s.json").read_text())
    assert report["settings"]["backbone"] == "test_resnet"
    assert report["command"].startswith("python -m augment step --device cpu")
    rows = {row["step"]: row for row in report["results"]}
    assert set(rows) == {"no augmentation", "augment eager", "kornia eager"} - {*report["skipped"]}
    alone = rows["no augmentation"]
    for row in rows.values():
        assert row["images_per_s"] == pytest.approx(4 / row["ms"] * 1e3, rel=0.01)
        assert row["added"] == pytest.approx(row["ms"] / alone["ms"] - 1, abs=0.01)
        assert row["syncs"] is None, "nothing waits on a CPU"
    assert "| augment eager |" in (tmp_path / "s.md").read_text()


def test_a_step_trains():
    """Forward, backward and update run in the requested precision; the augmentation records no graph."""
    task = task_of(4, 40, 32, torch.bfloat16, torch.device("cpu"), 1)
    network = backbone("test_resnet")
    seen = []
    network.register_forward_hook(lambda module, given, out: seen.append((given[0], out)))
    before = [parameter.detach().clone() for parameter in network.parameters()]
    ours = implementations(["augment eager"], task.device)[0]
    runs, notes = steps(task, RECIPES["crop_flip"], ours, training(network, task))
    assert not notes
    for step in runs.values():
        step()
    assert len(seen) == 2
    for images, out in seen:
        assert images.shape == (4, 3, 32, 32)
        assert not images.requires_grad
        assert out.dtype == torch.bfloat16
    assert any(not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


MISTAKES = {
    "bench --batch 0": "must be a positive whole number",
    "bench --recipes foo": "'foo' must be one of recipes, layers, operators, chain, all, crop_flip",
    "bench --only nobody": "--only: 'nobody' is a prefix of none of augment eager",
    "bench --dtype int8": "--dtype: 'int8' must be one of float32",
    "bench --device tpu": "--device: 'tpu' must be cpu, cuda",
    "step --backbone resnett50": "--backbone: timm has no 'resnett50'; did you mean resnet50",
    "step --recipe mixing": "--recipe: 'mixing' must be one of crop_flip, jitter",
    "step --dtype float16": "--dtype: 'float16' must be one of float32, bfloat16",
    "bench --plot x.gif": "must end in one of .png, .svg, .pdf",
    "bench --json nowhere/x.json": "the folder nowhere does not exist",
    "dance": "invalid choice: 'dance'",
    "doctor imagnet": "'imagnet' is neither a preset (imagenet)",
    "doctor RandomRotation(-5)": "degrees=-5 must not be negative",
    "doctor Rotation(3)": "augment has no 'Rotation'",
    "doctor RandomRotation(open)": "'open' must be a number, a string, a list or a layer",
    "doctor none.yaml": "none.yaml does not exist",
    "preview imagenet nowhere x.png": "nowhere does not exist",
    "preview imagenet . x.jpg": "must end in .png",
    "preview imagenet . x.png --grid 3": "--grid: '3' must be images x draws",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_mistakes_end_in_one_sentence(words, capsys):
    assert MISTAKES[words] in failure(capsys, *words.split())


# ------------------------------------------------------------------------------------------------------------- doctor


def loader(count=3, size=(16, 16), dtype=torch.uint8, planar=False):
    for i in range(count):
        images = torch.randint(0, 256, (4, *size, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
        images = images if dtype == torch.uint8 else images.to(dtype) / 255
        yield (images.contiguous() if planar else images), torch.full((4,), i)


def test_doctor_is_content_with_a_good_pipeline():
    report = diagnose(A.Pipeline(A.RandomHorizontalFlip(), A.ColorJitter(0.2)), loader(), device="cpu")
    assert not report.topics() - {"workers"}
    assert "sync" not in report.topics("note")


def test_doctor_misses_the_kernels(monkeypatch):
    monkeypatch.setattr(library, "AVAILABLE", False)
    report = diagnose(A.Pipeline(A.RandomHorizontalFlip()), loader(), device="cpu")
    assert any("install g++" in finding.remedy for finding in report.findings)


@pytest.mark.parametrize(
    ("options", "words"), [({"dtype": torch.float32}, "4 times the bytes"), ({"planar": True}, "planar order")]
)
def test_doctor_finds_what_is_wrong_with_the_batches(options, words):
    report = diagnose(A.Pipeline(A.RandomHorizontalFlip()), loader(**options), device="cpu")
    (finding,) = [f for f in report.findings if f.topic == "batch"]
    assert words in finding.what
    assert f"[slow] batch: {finding.what}" in str(report)


class Reader(plain.A.ImageOp):
    def __init__(self, read):
        super().__init__()
        self.read = read

    def image(self, image, params):
        return image * 1.0 if self.read(image.mean()) else image


@pytest.mark.parametrize("read", [lambda t: t.item() > 0, lambda t: bool(t > 0), lambda t: t.tolist() > 0])
def test_doctor_finds_where_the_host_reads_values(read):
    report = plain.diagnose(plain.A.Pipeline(plain.A.RandomHorizontalFlip(), Reader(read)), loader(), device="cpu")
    (finding,) = [f for f in report.findings if f.topic == "sync"]
    assert "Reader, " in finding.what
    assert "test_tools.py:" in finding.what


def test_doctor_finds_recompilation(monkeypatch):
    torch._dynamo.reset()
    compile = torch.compile

    @functools.wraps(compile)
    def quick(function, mode=None, **options):
        return compile(function, backend="eager", **options)

    monkeypatch.setattr(torch, "compile", quick)
    sizes = [*loader(2), *loader(2, (20, 18)), *loader(2, (24, 31))]
    report = plain.diagnose(plain.A.Pipeline(plain.A.RandomHorizontalFlip(), compile=True), sizes, "cpu")
    (finding,) = [f for f in report.findings if f.topic == "compile"]
    assert "of 5 batches after the first were compiled again" in finding.what
    assert any("different image sizes" in f.what for f in report.findings)


def test_doctor_finds_slow_loading():
    def slow():
        for delivered in loader():
            time.sleep(0.3)
            yield delivered

    assert "workers" in diagnose(A.Pipeline(A.RandomHorizontalFlip()), slow(), device="cpu").topics()


def test_doctor_says_what_it_cannot_read():
    with pytest.raises(ToolError, match="the loader delivers str; the doctor understands"):
        diagnose(A.Pipeline(), ["a", "b"])
    with pytest.raises(ToolError, match="the loader delivers 1 batches"):
        diagnose(A.Pipeline(A.RandomHorizontalFlip()), loader(1))


def test_doctor_prints(capsys):
    run("doctor", "RandomHorizontalFlip(), RandomRotation(10)", "--batch", 4, "--size", 16, "--device", "cpu", "--json")
    report = json.loads(capsys.readouterr().out)
    assert report["figures"]["device"] == "cpu"
    assert {"topic", "level", "what", "remedy"} == set(report["findings"][0])


# ------------------------------------------------------------------------------------------------------------ preview


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
