"""The bench and the step: every recipe and implementation is measured, and mistakes end in one sentence."""

import json
from dataclasses import replace
from importlib.metadata import PackageNotFoundError

import pytest
import torch
import torch._dynamo
from PIL import Image

from augment.tools.bench import measure, work
from augment.tools.bench.measure import implementations, task_of
from augment.tools.bench.recipes import RECIPES
from augment.tools.bench.report import cells
from augment.tools.bench.timing import paired_ratio
from augment.tools.step.training import backbone, steps, training
from tests.tools.commands import failure, run
from tests.unchecked import import_unchecked

plain = import_unchecked("tests.speed_recipes")  # run-time type checks cannot be compiled


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
    theirs = rows["crop_flip", "kornia eager"]
    assert 0 <= ours["passes"] < theirs["passes"] < theirs["kernels"]
    assert theirs["ratio_low"] <= theirs["ratio"] <= theirs["ratio_high"]


def test_ratios_are_paired_by_round():
    """Both are five times slower in the second round; one of nine rounds is disturbed for one of them."""
    reference = [1.0, 5.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0]
    factors = [2.0, 2.1, 1.9, 2.0, 9.0, 2.2, 1.8, 2.0, 2.0]
    turns = [factor * seconds for factor, seconds in zip(factors, reference, strict=True)]
    assert paired_ratio(turns, reference) == pytest.approx((2.0, 1.9, 2.2))  # leaves out the outermost on each side
    assert paired_ratio([2.0, 3.0], [1.0, 1.0]) == pytest.approx((2.5, 2.0, 3.0))


def test_unsteady_rows_are_marked():
    row = measure.Row("jitter", "augment eager", "per sample", True, 100.0, 0.2, 1.0, 1.0, 1.0, 1.0, 1.0, 0.1, 1.0)
    assert "±20% !" in cells(row)
    assert "±10%" in cells(replace(row, spread=0.1))


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
    "preview imagenet . x.gif": "must end in .png",
    "preview imagenet . x.png --grid 3": "--grid: '3' must be images x draws",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_mistakes_end_in_one_sentence(words, capsys):
    assert MISTAKES[words] in failure(capsys, *words.split())


def test_bench_from_files_to_the_input_of_a_network(tmp_path):
    for number in range(3):
        image = torch.randint(0, 256, (40 + number, 56, 3), dtype=torch.uint8)
        Image.fromarray(image.numpy()).save(tmp_path / f"{number}.jpg")
    (tmp_path / "notes.txt").write_text("no image")
    report = tmp_path / "report.json"
    only = ["--only", "augment,torchvision v2 on Pillow", "--batch", 4, "--out", 16, "--rounds", 2]
    run("bench", "--end-to-end", tmp_path, *only, "--json", report, "--markdown", tmp_path / "report.md")
    rows = json.loads(report.read_text())["results"]
    assert [row["reader"] for row in rows] == ["augment, reduced", "augment, whole", "torchvision v2 on Pillow"]
    assert all(row["images_per_s"] > 0 and 0 < row["decoding"] < 1 for row in rows)
    assert rows[0]["worker"] > rows[0]["images_per_s"]  # augmentation is left to the model
    assert rows[2]["worker"] == pytest.approx(rows[2]["images_per_s"])
    assert "| torchvision v2 on Pillow |" in (tmp_path / "report.md").read_text()


def test_bench_of_an_empty_folder_names_it(tmp_path, capsys):
    assert "holds no image files" in failure(capsys, "bench", "--end-to-end", tmp_path)
    assert "is a prefix of none of augment, reduced" in failure(
        capsys, "bench", "--end-to-end", _with_image(tmp_path), "--only", "nobody"
    )


def _with_image(folder):
    Image.new("RGB", (8, 8)).save(folder / "one.png")
    return folder


# DALI refuses functions that run-time type checks have wrapped
READERS = import_unchecked("augment.tools.bench.readers").READERS


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_every_reader_makes_the_same_kind_of_batch(reader, tmp_path):
    if reader.missing():
        pytest.skip(reader.missing())
    paths = [tmp_path / f"{number}.jpg" for number in range(3)]
    for number, path in enumerate(paths):
        image = torch.randint(0, 256, (40 + number, 56, 3), dtype=torch.uint8)
        Image.fromarray(image.numpy()).save(path)
    decode, augment = reader.make(16)
    out = augment(decode(paths))
    assert out.shape == (3, 3, 16, 16)
    assert out.dtype == torch.float32
    assert -3 < out.min() < out.max() < 3  # normalized
