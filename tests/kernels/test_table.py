"""Every kernel gives what the definition of its operator gives, within the tolerance that it declares."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from augment.data.operator import Kernel, Operator
from augment.kernels.cpu import library
from augment.kernels.cpu.library import CPU, EAGER
from tests.kernels.table import difference, operators, rows

ROWS = list(rows())
CPU_ROWS = [pytest.param(*row[1:], id=row[0]) for row in ROWS if row[2].backend in (CPU, EAGER)]
needs_kernels = pytest.mark.skipif(not library.AVAILABLE, reason="nothing compiled them when this was installed")


def test_every_kernel_is_in_the_table():
    covered = {id(kernel) for _, _, kernel, _ in ROWS}
    missing = [
        f"{name}: {kernel.backend.name}"
        for name, operator in operators().items()
        for kernel in operator.kernels
        if id(kernel) not in covered
    ]
    assert not missing


def test_every_kernel_says_why_it_exists():
    assert all(kernel.reason.endswith(".") and kernel.tolerance < 0.03 for _, _, kernel, _ in ROWS)


def check(operator: Operator, kernel: Kernel, arguments: Callable[[], tuple]) -> None:
    """That a kernel gives what its operator's definition gives."""
    expected = operator.reference(*arguments())
    assert difference(kernel.run(*arguments()), expected) <= kernel.tolerance


@needs_kernels
@pytest.mark.parametrize(("operator", "kernel", "arguments"), CPU_ROWS)
def test_kernels_are_held_to_their_definition(operator, kernel, arguments):
    assert operator.kernel_for(*arguments()) is kernel  # it is the one that a call runs
    check(operator, kernel, arguments)


@needs_kernels
@pytest.mark.parametrize(("operator", "kernel", "arguments"), CPU_ROWS)
def test_kernels_do_not_depend_on_the_default_type(operator, kernel, arguments):
    """Lightning's bf16-true changes it while a model is trained."""
    given = arguments()
    expected = operator.reference(*given)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        found = kernel.run(*given)
    finally:
        torch.set_default_dtype(before)
    assert difference(found, expected) <= kernel.tolerance


@needs_kernels
@pytest.mark.parametrize(("operator", "kernel", "arguments"), CPU_ROWS)
def test_a_planted_fault_is_noticed(operator, kernel, arguments):
    """One value in the middle is wrong, by more than the tolerance and the usual difference."""

    def faulty(*given: object) -> torch.Tensor:
        out = kernel.run(*given).contiguous()
        out.view(-1)[out.numel() // 2] += max(3 * kernel.tolerance, 1e-6) if out.is_floating_point() else 1
        return out

    with pytest.raises(AssertionError):
        check(operator, replace(kernel, run=faulty), arguments)
