"""The notebooks run from top to bottom without an error, and are stored with their outputs."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from ipykernel.kernelspec import make_ipkernel_cmd
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

FOLDER = Path(__file__).parent.parent / "notebooks"
NAMES = sorted(path.name for path in FOLDER.glob("*.ipynb"))
LARGEST = 1_500_000  # bytes

SHORTER = {"02_learned_policy.ipynb": ("STEPS, DELTA = 600,", "STEPS, DELTA = 60,")}
"""What the test replaces in a notebook that trains, to run in a tenth of the time."""


class ThisInterpreter(KernelSpecManager):
    """Always run the interpreter of the tests, regardless of the installed kernels."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(argv=make_ipkernel_cmd(), display_name=kernel_name, language="python")


def read(name: str) -> nbformat.NotebookNode:
    return nbformat.read(FOLDER / name, as_version=4)


def shorten(cell: nbformat.NotebookNode, old: str, new: str) -> bool:
    """Replace a part of a cell's source, and return whether it was there."""
    found = old in cell.source
    cell.source = cell.source.replace(old, new)
    return found


def test_both_notebooks_are_there() -> None:
    assert NAMES == ["01_quickstart.ipynb", "02_learned_policy.ipynb"]


@pytest.mark.parametrize("name", NAMES)
def test_runs_without_an_error(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # tests run in parallel processes
    notebook = read(name)
    if name in SHORTER:
        assert sum(shorten(cell, *SHORTER[name]) for cell in notebook.cells) == 1
    kernel = AsyncKernelManager(kernel_spec_manager=ThisInterpreter())
    NotebookClient(notebook, km=kernel, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert list(tmp_path.iterdir()) == []  # a notebook leaves nothing behind


@pytest.mark.parametrize("name", NAMES)
def test_is_kept_executed_with_its_pictures(name: str) -> None:
    cells = [cell for cell in read(name).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    assert sum("image/png" in o.get("data", {}) or "image/jpeg" in o.get("data", {}) for o in outputs) >= 4
    assert (FOLDER / name).stat().st_size < LARGEST
