"""The rooms of the trainer and the arrows between them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import lightning_modules

ROOT = Path(lightning_modules.__file__).parent
ROOMS = [
    "__main__",
    "cli",
    "regret",
    "launching",
    "sweeps",
    "exporting",
    "reporting",
    "evaluation",
    "learning",
    "curriculum",
    "callbacks",
    "loading",
    "classifier",
    "predicting",
    "model",
    "sources",
    "tasks",
    "data",
    "saving",
    "console",
    "quoting",
    "errors",
]
"""From the top down: a room, or a single file in the hall, imports what is below it only."""
FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")
LONGEST = 300


def name_of(file: Path) -> str:
    return str(file.relative_to(ROOT))


def room_of(file: Path) -> str:
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


LOADS_ITSELF = ("classifier.py", "loading")
"""`ImageClassifier.load_from_checkpoint` builds an ImageClassifier from the file, when it is called."""


def imported(file: Path) -> Iterator[str]:
    """Every room from which a file imports something, in functions too, but not only to name a type."""
    for node in _without_types(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "lightning_modules":
            yield from (f"{node.module}.{alias.name}".split(".")[1] for alias in node.names)


def _without_types(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"):
            yield node
            yield from _without_types(node)


def test_every_room_has_a_sign() -> None:
    folders = [path for path in ROOT.iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert all((folder / "__init__.py").read_text().startswith('"""') for folder in folders)
    assert {room_of(file) for file in FILES} <= set(ROOMS)


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_arrows_point_downward(file: Path) -> None:
    above = ROOMS[: ROOMS.index(room_of(file))]
    assert not [room for room in imported(file) if room in above and (name_of(file), room) != LOADS_ITSELF]


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_files_are_short(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= LONGEST
