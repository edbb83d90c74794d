"""The trainer: Lightning modules that use `augment` in a training run. `augment` never imports this package."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightning_modules.loading import load

__all__ = ["load"]


def __getattr__(name: str) -> Any:
    """Import `load` with its first use, because it needs Lightning and timm."""
    if name == "load":
        from lightning_modules.loading import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
