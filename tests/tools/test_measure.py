"""All measurements in one call: finished parts stay, a later call continues, and what is missing is named."""

import json

import pytest
import torch

from augment.tools.bench.recipes import GROUPS
from augment.tools.measure import running
from augment.tools.measure.agreement import compared
from augment.tools.measure.command import summary
from augment.tools.measure.parts import PARTS, Part, Settings
from augment.tools.measure.running import Journal, run_parts
from tests.tools.commands import failure

SETTINGS = Settings("cpu", batch=2, rounds=1, threads=1, dtype="float32")
SCRIPT = """
import pathlib, sys, time
words, here = sys.argv[1:], pathlib.Path(__file__).parent
if words[0] == "slow" and not (here / "quick").exists():
    time.sleep(3600)
if words[0] == "broken":
    sys.exit("no memory left")
for option in ("--json", "--markdown"):
    pathlib.Path(words[words.index(option) + 1]).write_text(words[0])
"""


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """Parts that are small scripts: one takes an hour until a file says otherwise, one fails, one works."""
    (tmp_path / "a_part_of_a_test.py").write_text(SCRIPT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(running, "LEAST", 0.0)
    (tmp_path / "results").mkdir()
    return [Part(name, (name,), "a_part_of_a_test") for name in ("slow", "broken", "works")]


def called(parts, folder, seconds):
    journal = Journal(folder)
    run_parts(parts, SETTINGS, folder, journal, seconds, lambda text: None)
    return {name: (one.state, one.attempts) for name, one in Journal(folder).outcomes.items()}


def test_a_later_call_continues(parts, tmp_path):
    folder = tmp_path / "results"
    first = called(parts, folder, 1)
    assert first == {"slow": ("cut off", 1), "broken": ("left out", 0), "works": ("left out", 0)}
    assert not (folder / "slow.json").exists()
    (tmp_path / "quick").write_text("")
    second = called(parts, folder, 600)
    assert second == {"slow": ("finished", 2), "broken": ("failed", 1), "works": ("finished", 1)}
    assert (folder / "works.json").read_text() == (folder / "works.md").read_text() == "works"
    assert Journal(folder).outcomes["broken"].why == "no memory left"
    third = called(parts, folder, 600)
    assert third == {"slow": ("finished", 2), "broken": ("failed", 2), "works": ("finished", 1)}


def test_the_summary_names_what_is_missing(tmp_path):
    journal = Journal(tmp_path)
    run_parts(PARTS, SETTINGS, tmp_path, journal, 0, lambda text: None)
    text = summary(journal)
    assert "agreement was left out: it needs a GPU." in text
    assert "end_to_end was left out: it needs a folder of image files: --images DIR." in text
    assert "recipe_jitter was left out: the time was over before it." in text
    assert "The same command continues" in text


def test_every_part_is_a_command_that_exists():
    from augment.__main__ import parser_for

    settings = Settings("cuda", 2, 1, 1, "float32", images="pictures")
    for part in PARTS:
        words = part.command(settings, "a.json", "a.md")
        assert words[:2] == ("-m", part.module)
        if part.module == "augment":
            parser_for(words[2:]).parse_args(words[2:])
    layers = [name for part in PARTS for word in part.words for name in word.split(",") if name.startswith("layer:")]
    assert sorted(layers) == sorted(GROUPS["layers"])


def test_devices_agree_on_the_same_draws():
    """On two CPUs the images are equal, which they are only from the same draws."""
    row = compared("jitter", torch.device("cpu"), batch=4, size=24, out=16)
    assert row.largest == row.mean == row.visible == 0


def test_mistakes_end_in_one_sentence(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert "no results can be written there" in failure(capsys, "measure", tmp_path / "file", "--device", "cpu")
    assert "'0' must be a positive whole number" in failure(capsys, "measure", tmp_path, "--minutes", "0")
    journal = Journal(tmp_path)
    journal.save(SETTINGS)
    assert json.loads((tmp_path / "outcomes.json").read_text())["settings"]["batch"] == 2
    assert "batch 2" in failure(capsys, "measure", tmp_path, "--device", "cpu", "--batch", "4")
    (tmp_path / "outcomes.json").write_text("no JSON")
    assert "cannot be read" in failure(capsys, "measure", tmp_path, "--device", "cpu")
