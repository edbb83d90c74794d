"""What a type checker cannot see, said where it is used: nothing is computed, copied or compared here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from torch import Tensor, nn

T = TypeVar("T")
M = TypeVar("M", bound=nn.Module)

if TYPE_CHECKING:

    class Modules(nn.ModuleList, Generic[M]):
        """A `ModuleList` of modules of one kind; when the code runs it is torch's own."""

        @overload
        def __getitem__(self, idx: slice) -> Modules[M]: ...
        @overload
        def __getitem__(self, idx: int) -> M: ...
        def __getitem__(self, idx: int | slice) -> M | Modules[M]: ...
        def __iter__(self) -> Iterator[M]: ...

    class NamedModules(nn.ModuleDict, Generic[M]):
        """A `ModuleDict` of modules of one kind; when the code runs it is torch's own."""

        def __getitem__(self, key: str) -> M: ...
else:
    Modules, NamedModules = nn.ModuleList, nn.ModuleDict


def known(part: T | None) -> T:
    """A part of a batch, or another optional value, that the caller knows to be there."""
    found: Any = part
    return found


def dense(image: Any) -> Tensor:
    """The images of a batch where they are one tensor, neither packed nor channel planes."""
    return image


def unpacked(image: Any) -> Tensor | tuple[Tensor, ...]:
    """The images of a batch where they are not packed: one tensor or channel planes."""
    return image


def whole_size(size: Any) -> tuple[int, int]:
    """(height, width) of images that all have this size."""
    return size
