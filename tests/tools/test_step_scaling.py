"""step --processes: training in several processes is measured, and mistakes end in one sentence."""

import json
from dataclasses import replace

import pytest
import torch

from augment.tools.errors import ToolError
from augment.tools.step.scaling import STEPS, Settings, counts_of, scaled, seconds_of
from tests.tools.commands import failure, run

SETTINGS = Settings("cpu", 2, 40, 32, "float32", 1, 1, "test_resnet", "crop_flip")


def test_two_processes_train_and_are_compared_with_one(tmp_path):
    small = ("--batch", 2, "--size", 40, "--out", 32, "--threads", 1, "--rounds", 1, "--recipe", "crop_flip")
    files = ("--json", tmp_path / "s.json", "--markdown", tmp_path / "s.md")
    run("step", "--device", "cpu", "--processes", "2", "--backbone", "test_resnet", *small, *files)
    report = json.loads((tmp_path / "s.json").read_text())
    one, two = report["results"]
    assert (one["processes"], two["processes"], report["settings"]["processes"]) == (1, 2, [1, 2])
    assert one["efficiency"] == 1
    assert two["efficiency"] == pytest.approx(two["images_per_s"] / (2 * one["images_per_s"]), rel=0.01)
    assert two["images_per_s"] == pytest.approx(4 / two["ms"] * 1e3, rel=0.01)
    assert "| 2 |" in (tmp_path / "s.md").read_text()


def test_the_slowest_process_counts(monkeypatch):
    """The figures follow from the seconds that the processes report, round by round."""

    def spawn(work, given, nprocs):
        folder = given[-1]
        for rank in range(nprocs):
            with open(f"{folder}/{rank}.json", "w") as file:
                json.dump([STEPS * (1.0 + rank), STEPS * 0.5, STEPS * 3.0], file)

    monkeypatch.setattr("augment.tools.step.scaling.multiprocessing.spawn", spawn)
    assert seconds_of(1, SETTINGS) == 1.0
    assert seconds_of(2, SETTINGS) == 2.0
    assert [row.efficiency for row in scaled([1, 2], SETTINGS)] == [1.0, 0.5]


def test_one_process_comes_first():
    assert counts_of("4,2,2", torch.device("cpu")) == [1, 2, 4]


def test_a_process_that_fails_is_reported():
    with pytest.raises(ToolError, match=r"--processes: training with 1 failed: .*timm has no 'nothing'"):
        seconds_of(1, replace(SETTINGS, backbone="nothing"))


def test_mistakes_end_in_one_sentence(capsys, monkeypatch):
    assert "'0' must be positive whole numbers" in failure(capsys, "step", "--device", "cpu", "--processes", "0")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ToolError, match="3 processes need as many GPUs; there are 1"):
        counts_of("3", torch.device("cuda"))
