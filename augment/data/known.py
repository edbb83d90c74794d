"""Tells the type checker what it cannot infer; the functions return their argument unchanged and check nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from torch import Tensor, nn

T = TypeVar("T")
M = TypeVar("M", bound=nn.Module)

if TYPE_CHECKING:

    class Modules(nn.ModuleList, Generic[M]):
        """A `ModuleList` of modules of one type; at run time it is torch's class."""

        @overload
        def __getitem__(self, idx: slice) -> Modules[M]: ...
        @overload
        def __getitem__(self, idx: int) -> M: ...
        def __getitem__(self, idx: int | slice) -> M | Modules[M]: ...
        def __iter__(self) -> Iterator[M]: ...

    class NamedModules(nn.ModuleDict, Generic[M]):
        """A `ModuleDict` of modules of one type; at run time it is torch's class."""

        def __getitem__(self, key: str) -> M: ...
else:
    Modules, NamedModules = nn.ModuleList, nn.ModuleDict


def known(part: T | None) -> T:
    """Returns a part of a batch, or another optional value, that the caller knows is not None."""
    found: Any = part
    return found


def dense(image: Any) -> Tensor:
    """Returns images that are one tensor, neither packed nor channel planes."""
    return image


def unpacked(image: Any) -> Tensor | tuple[Tensor, ...]:
    """Returns images that are not packed: one tensor or channel planes."""
    return image


def whole_size(size: Any) -> tuple[int, int]:
    """Returns the (height, width) of images that all have the same size."""
    return size
