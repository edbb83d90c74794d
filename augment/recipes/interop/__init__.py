"""Recipes of other libraries as recipes of this one; see docs/interop.md for what becomes what."""

from augment.recipes.interop.kornia_recipes import from_kornia
from augment.recipes.interop.torchvision_recipes import from_torchvision

__all__ = ["from_kornia", "from_torchvision"]
