"""The table of docs/kornia.md can be measured again, and has all that is measured."""

import sys
from pathlib import Path

import pytest

from tests import kornia_operators
from tests.kornia_cases import CASES

PAGE = (Path(__file__).parents[1] / "docs" / "kornia.md").read_text()


def test_a_row_is_measured(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["kornia_operators", "--only", "invert", "--rounds", "1"])
    kornia_operators.main()
    head, _, row = capsys.readouterr().out.strip().splitlines()
    assert row.startswith("| invert | `enhance.invert` | ")
    assert len(row.split("|")) == len(head.split("|"))
    assert "yes / yes | right / right | 0.48 / 0.48 | yes | " in row


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_page_has_it(case):
    assert f"| {case.name} | `{case.kornia}` |" in PAGE


def test_the_page_has_the_head_of_the_table():
    assert kornia_operators.HEAD in PAGE
