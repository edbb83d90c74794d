"""No private name of Kornia is imported; those of torch stand in one file, which says what happens without them."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from augment.data import private_torch

ROOT = Path(__file__).parents[2]
MODULES = [path for folder in ("augment", "lightning_modules") for path in sorted((ROOT / folder).rglob("*.py"))]
ALLOWED = {"augment/data/private_torch.py", "augment/kernels/cuda/inductor.py"}
DOCUMENTED = {"torch._inductor.aoti_compile_and_package", "torch._inductor.aoti_load_package"}
"""Names of torch's manual (AOTInductor), in spite of their underscore."""
OF_OBJECTS = {"_parameters", "_buffers", "_modules", "_cdata", "_opoverload", "_dynamo_marked_constant"}
"""Private attributes of modules, storages, operators and functions, which do not show that they are torch's."""


def is_private(name: str) -> bool:
    return any(part.startswith("_") and not part.startswith("__") for part in name.split("."))


def imported(tree: ast.AST, package: str) -> Iterator[tuple[int, str, str]]:
    """The line, the full name and the name in this module of everything that is imported from a package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                if name.name.split(".")[0] == package:
                    yield node.lineno, name.name, name.asname or package
        elif isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] == package:
            for name in node.names:
                yield node.lineno, f"{node.module}.{name.name}", name.asname or name.name


def private_names(code: str, package: str) -> list[str]:
    """Imports from a package, and attributes of what is imported, with a part that starts with an underscore."""
    tree = ast.parse(code)
    names = list(imported(tree, package))
    found = {f"{line}: {name}" for line, name, _ in names if is_private(name) and name not in DOCUMENTED}
    local = {name for _, _, name in names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            chain = ast.unparse(node)
            of_object = package == "torch" and node.attr in OF_OBJECTS
            if chain.split(".")[0] in local or of_object:
                found.add(f"{node.lineno}: {chain}")
    return sorted(found)


def test_the_search_finds_private_names():
    code = """
import torch
import torch._inductor
from torch import nn, _dynamo
from torch.utils._python_dispatch import TorchDispatchMode
torch._C._storage_Use_Count(storage._cdata)
nn.functional._canonical_mask
self._own, torch.__version__
"""
    found = private_names(code, "torch")
    assert {line.partition(":")[0] for line in found} == {"3", "4", "5", "6", "7"}
    assert private_names("import kornia.augmentation._2d.base as b\nfrom kornia.filters import blur", "kornia") == [
        "1: kornia.augmentation._2d.base"
    ]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_private_names_stand_in_one_file(path: Path):
    code, name = path.read_text(), str(path.relative_to(ROOT))
    assert private_names(code, "kornia") == []
    if name not in ALLOWED:
        assert private_names(code, "torch") == []


def test_the_allowed_files_need_to_be():
    assert all(private_names((ROOT / name).read_text(), "torch") for name in ALLOWED)


FUNCTIONS = [f for name, f in vars(private_torch).items() if inspect.isfunction(f) and not name.startswith("_")]


@pytest.mark.parametrize("function", [f for f in FUNCTIONS if f.__module__ == private_torch.__name__])
def test_every_function_says_what_it_was_tested_with(function):
    said = " ".join(inspect.getdoc(function).split())
    assert "Tested with torch 2.11.0 and 2.15.0. Where" in said


@pytest.fixture
def without(monkeypatch):
    """Takes a name out of torch."""

    def take(owner: object, name: str) -> None:
        monkeypatch.delattr(owner, name)

    return take


def test_without_the_flag_the_public_function_is_asked(without, monkeypatch):
    assert not private_torch.exporting()
    without(torch.compiler, "_is_exporting_flag")
    monkeypatch.setattr(torch.compiler, "is_exporting", lambda: True)
    assert private_torch.exporting()


def test_without_a_list_of_modes_only_the_default_is_known(without):
    import torch._inductor

    assert private_torch.mode_options("max-autotune-no-cudagraphs")
    without(torch._inductor, "list_mode_options")
    assert private_torch.mode_options("default") == {}
    with pytest.raises(RuntimeError, match=r"has no torch\._inductor\.list_mode_options, needed for the mode 'max"):
        private_torch.mode_options("max-autotune-no-cudagraphs")


def test_without_marks_extents_are_compiled_again(without):
    import torch._dynamo

    without(torch._dynamo, "maybe_mark_dynamic")
    marked = torch.zeros(3, 2)
    private_torch.mark_dynamic(marked, 0)
    assert not vars(marked)


def test_without_the_error_nothing_is_caught(without):
    import torch._dynamo.exc

    assert issubclass(private_torch.recompile_limit_errors()[0], Exception)
    without(torch._dynamo.exc, "FailOnRecompileLimitHit")
    assert private_torch.recompile_limit_errors() == ()


def test_without_the_counter_no_graphs_are_seen(without):
    import torch._dynamo.utils

    assert private_torch.graphs_compiled() >= 0
    without(torch._dynamo.utils, "counters")
    assert private_torch.graphs_compiled() == 0


@pytest.mark.parametrize("there", [True, False])
def test_copies(without, there):
    if not there:
        without(torch, "_foreach_copy_")
    sources = [torch.rand(3), torch.arange(4)]
    targets = [torch.zeros_like(source) for source in sources]
    private_torch.copy_each(targets, sources)
    assert all(map(torch.equal, targets, sources))


def test_holders_of_memory_are_counted_or_there_is_an_error(without):
    value = torch.rand(3)
    memory = value.untyped_storage()
    before = private_torch.holders(memory)
    view = value[1:]
    assert private_torch.holders(memory) == before + 1
    del view
    assert private_torch.holders(memory) == before
    without(torch._C, "_storage_Use_Count")
    with pytest.raises(RuntimeError, match="reduce-overhead"):
        private_torch.holders(memory)


def test_registries_hold_names_of_nothing_too():
    layer = torch.nn.Linear(2, 2, bias=False)
    parameters, buffers, layers = private_torch.registries(layer)
    assert list(parameters) == ["weight", "bias"]
    assert parameters["bias"] is None
    assert not buffers
    assert not layers


def test_operators_are_seen_or_there_is_an_error(without):
    import torch.utils._python_dispatch

    seen = []
    with private_torch.each_operator(lambda *given: seen.append(given)):
        out = torch.ones(3).add(2)
    operator, arguments, result = seen[-1]
    assert seen[0][0].name() == "aten::ones"
    assert operator.name() == "aten::add.Tensor"
    assert arguments[1] == 2
    assert result is out
    without(torch.utils._python_dispatch, "TorchDispatchMode")
    with pytest.raises(RuntimeError, match="TorchDispatchMode, needed for counting operators"):
        private_torch.each_operator(print)


def test_tensors_without_values_where_torch_has_them(without):
    import torch._subclasses.fake_tensor

    with pytest.raises(Exception, match="_local_scalar_dense"), private_torch.without_values():
        torch.zeros(2).tolist()
    without(torch._subclasses.fake_tensor, "FakeTensorMode")
    with private_torch.without_values():
        assert torch.zeros(2).tolist() == [0, 0]
