"""The rooms of `augment` and the arrows between them: what may import what, and which room names a backend."""

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import augment as A

ROOT = Path(A.__file__).parent
ROOMS = ["tools", "recipes", "layers", "core", "engine", "kernels", "geometry", "draws", "data"]
"""From the top down: a room imports rooms below it only."""

FILES = sorted(ROOT.rglob("*.py"))
LONGEST = 300


def name_of(file: Path) -> str:
    return str(file.relative_to(ROOT))


def imported(file: Path) -> Iterator[str]:
    """Every module of `augment` that a file imports, in functions too, with the names taken from it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "augment":
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "augment")


def test_there_are_nine_rooms_and_nothing_lies_in_the_hall():
    assert {path.name for path in ROOT.iterdir() if path.is_dir() and path.name != "__pycache__"} == set(ROOMS)
    assert {path.name for path in ROOT.iterdir() if path.is_file()} == {"__init__.py", "__main__.py", "py.typed"}
    assert all((ROOT / room / "__init__.py").read_text().startswith('"""') for room in ROOMS)


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_arrows_point_downward(file):
    room = file.relative_to(ROOT).parts[0]
    if room not in ROOMS:
        return  # `augment/__init__.py` and `__main__.py` stand above all rooms
    for name in imported(file):
        parts = name.split(".")
        if len(parts) > 1 and parts[1] in ROOMS:
            assert ROOMS.index(parts[1]) >= ROOMS.index(room), f"{name_of(file)} imports {name}"


@pytest.mark.parametrize("file", [f for f in FILES if f.relative_to(ROOT).parts[0] != "kernels"], ids=name_of)
def test_only_kernels_name_a_backend(file):
    backends = ("augment.kernels.cpu", "augment.kernels.cuda")
    assert not [name for name in imported(file) if name.startswith(backends)]


@pytest.mark.parametrize("backend", ["cpu", "cuda"])
def test_definitions_and_other_backends_do_not_know_a_backend(backend):
    for file in (ROOT / "kernels").rglob("*.py"):
        if file.parent.name != backend and file != ROOT / "kernels" / "__init__.py":
            assert not [name for name in imported(file) if name.startswith(f"augment.kernels.{backend}")], file


def test_only_the_context_compares_devices():
    """Elsewhere a device is asked with its functions, so that a third kind of device is added in one place."""
    free = ("kernels", "recipes", "tools")
    files = [file for file in FILES if file.relative_to(ROOT).parts[0] not in free]
    assert [name_of(f) for f in files if re.search(r"device\.type\s*[!=]=", f.read_text())] == ["data/context.py"]


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_files_are_short(file):
    assert len(file.read_text().splitlines()) <= LONGEST


def test_how_a_layer_is_executed_is_overridden_nowhere():
    """A kind implements `transform`; the engine executes. Layers and pipelines declare."""
    execution = ("forward", "inverse", "explain", "noise", "numbers")
    for name, module in list(sys.modules.items()):
        if not name.startswith("augment."):
            continue
        for cls in vars(module).values():
            if not inspect.isclass(cls) or not issubclass(cls, A.Layer) or cls.__module__ != name:
                continue
            above = [base for base in cls.__mro__[1:] if issubclass(base, A.Layer)]
            if "transform" in vars(cls):
                assert not [b for b in above if b is not A.Layer and "transform" in vars(b)], (
                    f"{cls.__name__}.transform"
                )
            if cls is not A.Layer:
                assert not [method for method in execution if method in vars(cls)], cls.__name__
