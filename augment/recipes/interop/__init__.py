"""Conversion of recipes of other libraries; docs/interop.md lists the conversions."""

from augment.recipes.interop.albumentations_recipes import from_albumentations
from augment.recipes.interop.kornia_recipes import from_kornia
from augment.recipes.interop.torchvision_recipes import from_torchvision

__all__ = ["from_albumentations", "from_kornia", "from_torchvision"]
