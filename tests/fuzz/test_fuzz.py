"""A short run of the fuzzer, and a test that it detects failures."""

import subprocess
import sys

import pytest
import torch

import augment as A
from tests.fuzz.cases import check, numbers
from tests.fuzz.worker import answers

QUICK = ("legal", "packed", "constructor", "call")


def test_a_short_run():
    chosen = [*numbers(0, 300, QUICK), *numbers(0, 2, ["traced"])]
    wrong = {number: text for number, text in answers(chosen, lambda number: 600.0) if text}
    assert not wrong, "python -m tests.fuzz --case NUMBER runs one of them again"


def test_a_crash_and_a_hang_are_reported_by_number_and_the_run_goes_on():
    """Case 2 crashes like a kernel would, case 4 never returns, case 6 fails."""
    script = """
import ctypes, sys, time
print("ready", flush=True)
for line in sys.stdin:
    number = int(line)
    if number == 2: ctypes.string_at(0)
    if number == 4: time.sleep(900)
    print("AssertionError: six" if number == 6 else "ok", flush=True)
"""
    command = (sys.executable, "-X", "faulthandler", "-c", script)
    told = dict(answers(range(1, 8), lambda number: 1.0 if number == 4 else 600.0, command))
    assert [number for number, text in told.items() if text] == [2, 4, 6]
    assert told[2].startswith("ended the process (-11)")
    assert "Segmentation fault" in told[2]
    assert told[4] == "took more than 1 s"
    assert told[6] == "AssertionError: six"


def test_a_number_is_always_the_same_case():
    (number,) = numbers(3, 1, ["legal"])
    command = (sys.executable, "-m", "tests.fuzz", "--case", str(number))
    told = {subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2)}
    assert len(told) == 1
    assert told.pop().startswith("legal: ")


@pytest.mark.parametrize("fault", ["image", "mask", "label", "boxes"])
def test_a_wrong_result_is_noticed(fault):
    batch = A.Batch(torch.rand(2, 3, 5, 6), torch.eye(2), torch.ones(2, 5, 6).long(), boxes=torch.rand(2, 1, 4))
    layer = A.RandomHue((0.1, 0.2))
    out = layer(batch)
    check(layer, batch, out)
    wrong = {
        "image": out.image * float("nan"),
        "mask": out.mask.float(),
        "label": out.label * 2,
        "boxes": out.boxes / 0,
    }
    with pytest.raises(AssertionError):
        check(layer, batch, out.replace(**{fault: wrong[fault]}))
