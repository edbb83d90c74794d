"""What a type checker cannot see, said where it is used: nothing is computed, copied or compared here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Generic, TypeVar, cast, overload

from torch import Tensor, nn

from augment.data.types import Size

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
    return cast("T", part)


def dense(image: object) -> Tensor:
    """The images of a batch where they are one tensor, neither packed nor channel planes."""
    return cast("Tensor", image)


def unpacked(image: object) -> Tensor | tuple[Tensor, ...]:
    """The images of a batch where they are not packed: one tensor or channel planes."""
    return cast("Tensor | tuple[Tensor, ...]", image)


def whole_size(size: Size) -> tuple[int, int]:
    """(height, width) of images that all have this size."""
    return cast("tuple[int, int]", size)
