"""shrink writes smaller images once: resumable, with a report of what is broken, double or tiny."""

import csv
import shutil

import numpy as np
import pytest
import webdataset
from PIL import Image
from sklearn.datasets import load_sample_image

from augment.tools.decoding import decode
from tests.tools.commands import failure, run


@pytest.fixture
def folder(tmp_path):
    """Photographs in two class folders: large, small, broken, double."""
    place = tmp_path / "photos"
    photo = Image.fromarray(load_sample_image("china.jpg"))
    for name in ("china", "garden/temple"):
        (place / name).mkdir(parents=True)
    photo.save(place / "china" / "large.jpg", quality=95)
    photo.crop((0, 0, 90, 60)).save(place / "china" / "small.png")
    photo.crop((0, 0, 20, 60)).save(place / "china" / "tiny.png")
    photo.rotate(90, expand=True).save(place / "garden" / "temple" / "tall.png")
    shutil.copy(place / "china" / "small.png", place / "garden" / "temple" / "again.png")
    (place / "garden" / "temple" / "broken.jpg").write_bytes(b"no image")
    (place / "notes.txt").write_text("no image")
    return place


def report(output):
    with open(output / "shrink_report.csv", newline="") as file:
        return {row[0].split("photos/")[1]: row[1] for row in list(csv.reader(file))[1:]}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_folder_becomes_smaller(folder, tmp_path, capsys, workers):
    output = tmp_path / "out"
    run("shrink", folder, output, "--size", 100, "--workers", workers, "--format", "png")
    sizes = {str(path.relative_to(output)): Image.open(path).size for path in output.rglob("*.png")}
    assert sizes == {
        "china/large.png": (149, 100),
        "china/small.png": (90, 60),
        "china/tiny.png": (20, 60),
        "garden/temple/tall.png": (100, 149),
        "garden/temple/again.png": (90, 60),
    }
    found = report(output)
    assert found.pop("garden/temple/broken.jpg").startswith("unreadable: cannot identify image file")
    assert found.pop("garden/temple/again.png").endswith("china/small.png")
    assert found == {"china/tiny.png": "tiny: the shorter side has 20 pixels"}
    assert "5 images; ignored .txt (1); 3 problems in" in capsys.readouterr().out.replace("\n", "")


def test_the_pixels_are_those_of_an_antialiased_resize(folder, tmp_path):
    run("shrink", folder, tmp_path / "out", "--size", 213, "--format", "png", "--workers", 1)
    ours = decode(tmp_path / "out" / "china" / "large.png").permute(1, 2, 0).numpy().astype(float)
    pillow = Image.open(folder / "china" / "large.jpg").resize((ours.shape[1], ours.shape[0]), Image.BILINEAR)
    assert np.abs(ours - np.asarray(pillow)).mean() < 1.5  # the JPEG is decoded at half its size


def test_an_interrupted_run_goes_on(folder, tmp_path, capsys):
    output = tmp_path / "out"
    run("shrink", folder, output, "--workers", 1)
    kept = output / "china" / "large.jpg"
    before = kept.stat().st_mtime_ns
    (output / "china" / "small.jpg").unlink()
    run("shrink", folder, output, "--workers", 1)
    assert kept.stat().st_mtime_ns == before
    assert (output / "china" / "small.jpg").exists()
    assert not list(output.rglob("*.part"))
    assert "4 of them from an earlier call" in capsys.readouterr().out.replace("\n", "")


def test_two_files_of_one_stem_both_stay(folder, tmp_path):
    Image.new("RGB", (40, 40)).save(folder / "china" / "small.bmp")
    run("shrink", folder, tmp_path / "out", "--workers", 1)
    names = sorted(path.name for path in (tmp_path / "out" / "china").iterdir())
    assert names == ["large.jpg", "small.jpg", "small.png.jpg", "tiny.jpg"]


def test_shards_are_those_that_webdataset_reads(folder, tmp_path):
    output = tmp_path / "out"
    (folder / "china" / "large.png").write_bytes((folder / "china" / "small.png").read_bytes())
    run("shrink", folder, output, "--size", 32, "--workers", 1, "--format", "png", "--to", "webdataset")
    assert sorted(path.name for path in output.iterdir()) == ["shrink_report.csv", "train-000000.tar"]
    found = webdataset.WebDataset(str(output / "train-000000.tar"), shardshuffle=False).decode("pil")
    samples = {sample["json"]["file"]: sample for sample in found}
    assert samples.keys() == {
        *("china/large.png", "china/large.png.png", "china/small.png", "china/tiny.png"),
        *("garden/temple/tall.png", "garden/temple/again.png"),
    }
    assert {(sample["json"]["label"], sample["cls"]) for sample in samples.values()} == {("china", 0), ("garden", 1)}
    assert samples["garden/temple/tall.png"]["png"].size == (32, 47)
    assert [sample["__key__"] for sample in samples.values()] == [f"{number:09}" for number in range(6)]


def test_shards_have_a_limit_and_are_continued(folder, tmp_path, capsys):
    output = tmp_path / "out"
    for number in range(4):
        noise = np.random.default_rng(number).integers(0, 256, (450, 450, 3), dtype=np.uint8)
        (folder / "val" / "china").mkdir(parents=True, exist_ok=True)
        (folder / "train" / "china").mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise).save(folder / ("val" if number == 3 else "train") / "china" / f"{number}.png")
    arguments = (folder, output, "--size", 450, "--workers", 1, "--format", "png", "--to", "webdataset")
    (output / "images" / "train" / "china").mkdir(parents=True)  # as after an interruption
    shutil.copy(folder / "train" / "china" / "1.png", output / "images" / "train" / "china")
    run("shrink", *arguments, "--shard-size", 1)
    assert "1 of them from an earlier call" in capsys.readouterr().out.replace("\n", "")
    shards = sorted(path.name for path in output.glob("*.tar"))
    assert shards == ["train-000000.tar", "train-000001.tar", "val-000000.tar"]  # 600 kB for each image
    assert "holds shards already" in failure(capsys, "shrink", *arguments)


def test_shards_need_classes(folder, tmp_path, capsys):
    error = failure(capsys, "shrink", folder / "china", tmp_path / "out", "--workers", 1, "--to", "webdataset")
    assert "has no folder for each class" in error


def test_mistakes_end_in_one_sentence(folder, tmp_path, capsys):
    assert "nowhere is not a folder" in failure(capsys, "shrink", "nowhere", tmp_path)
    assert "must lie outside of" in failure(capsys, "shrink", folder, folder / "small")
    assert "--quality: 101 must be from 1 to 100" in failure(capsys, "shrink", folder, tmp_path / "o", "--quality", 101)
    assert "--background='none' must be" in failure(capsys, "shrink", folder, tmp_path / "o", "--background", "none")
    (tmp_path / "empty").mkdir()
    assert "holds no image files" in failure(capsys, "shrink", tmp_path / "empty", tmp_path / "o")
