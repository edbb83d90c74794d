"""The notebooks run from top to bottom without an error, and are stored with their outputs."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from ipykernel.kernelspec import make_ipkernel_cmd
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbclient import NotebookClient

FOLDER = Path(__file__).parent.parent / "notebooks"
NAMES = sorted(path.name for path in FOLDER.glob("*.ipynb"))
LARGEST = 1_500_000  # bytes

SHORTER = {
    "04_train.ipynb": ("EPOCHS = 4", "EPOCHS = 1"),
    "05_learned_policy.ipynb": ("STEPS, DELTA = 600,", "STEPS, DELTA = 60,"),
    "06_speed.ipynb": (
        'RECIPES = "crop_flip,jitter,randaugment"\nBATCH, ROUNDS = 32, 3',
        'RECIPES = "crop_flip,jitter"\nBATCH, ROUNDS = 4, 1',
    ),
    "08_serve.ipynb": ("EPOCHS = 5", "EPOCHS = 1"),
}
"""What the test replaces in a notebook that trains or measures, to run in a fraction of the time."""


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


def test_all_notebooks_are_there() -> None:
    numbers = [name.partition("_")[0] for name in NAMES if ".zh-CN." not in name]
    assert numbers == [f"{number:02d}" for number in range(1, 9)]


def test_the_chinese_twin_has_the_same_code() -> None:
    ours, twin = (list(read(name).cells) for name in ("01_quickstart.ipynb", "01_quickstart.zh-CN.ipynb"))
    assert [cell.cell_type for cell in ours] == [cell.cell_type for cell in twin]
    for cell, translated in zip(ours, twin, strict=True):
        assert (cell == translated) == (cell.cell_type == "code")


@pytest.mark.parametrize("name", [name for name in NAMES if ".zh-CN." not in name])
def test_runs_without_an_error(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # tests run in parallel processes
    notebook = read(name)
    if name in SHORTER:
        assert sum(shorten(cell, *SHORTER[name]) for cell in notebook.cells) == 1
    kernel = AsyncKernelManager(kernel_spec_manager=ThisInterpreter())
    client = NotebookClient(notebook, km=kernel, timeout=600, resources={"metadata": {"path": str(tmp_path)}})
    client.execute(cleanup_kc=True)  # otherwise the kernel stays until the tests have ended
    assert not run_sync(kernel.is_alive)()
    assert list(tmp_path.iterdir()) == []  # a notebook leaves nothing behind


@pytest.mark.parametrize("name", NAMES)
def test_is_kept_executed_with_its_pictures(name: str) -> None:
    cells = [cell for cell in read(name).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    assert sum("image/png" in o.get("data", {}) or "image/jpeg" in o.get("data", {}) for o in outputs) >= 1
    assert (FOLDER / name).stat().st_size < LARGEST
