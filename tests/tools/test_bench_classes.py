"""bench --classes: every class at both sizes, with bounded batches, and a sentence where there is no GPU."""

import json

from augment.tools.bench.classes import CLASSES, NO_GPU, SIZES, Row, batch_of, cells
from tests.tools.commands import failure, run


def test_classes_are_measured_at_both_sizes(tmp_path):
    written, text = tmp_path / "c.json", tmp_path / "c.md"
    small = ("--device", "cpu", "--batch", 2, "--threads", 1, "--rounds", 1, "--only", "augment eager")
    run("bench", "--classes", *small, "--json", written, "--markdown", text)
    rows = json.loads(written.read_text())["results"]
    assert [(row["operators"], row["height"]) for row in rows] == [(c, h) for h, _ in SIZES for c in CLASSES]
    assert all(row["cpu"] > 0 and row["gpu"] is None and row["note"] is None for row in rows)
    assert NO_GPU in text.read_text()
    assert "GPU images/s" not in text.read_text()


def test_one_class_can_be_measured_alone(tmp_path):
    written = tmp_path / "c.json"
    small = ("--device", "cpu", "--batch", 1, "--threads", 1, "--rounds", 1, "--only", "augment eager")
    run("bench", "--classes", "colour", *small, "--json", written)
    assert {row["operators"] for row in json.loads(written.read_text())["results"]} == {"colour"}


def test_what_it_does_not_do_is_refused(capsys):
    assert "takes no --recipes and draws no --plot" in failure(capsys, "bench", "--classes", "--plot", "x.png")


def test_large_images_come_in_batches_of_as_many_pixels():
    assert batch_of(64, 256, 256) == 64
    assert batch_of(64, 1080, 1920) == 2
    assert batch_of(1, 1080, 1920) == 1


def test_a_row_shows_the_gpu_against_the_cpu():
    assert cells(Row("colour", 256, 256, 64, "ours", cpu=100.0, gpu=1500.0))[-1] == "15.0 x"
