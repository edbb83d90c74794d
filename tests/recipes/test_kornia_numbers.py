"""Numbers that augment holds, or reads off what Kornia shows, are those that Kornia keeps to itself."""

import importlib
from typing import Any

import pytest
import torch
from torchvision.transforms import autoaugment as torchvision

from augment.layers.photometric.channels import planckian_factors
from augment.layers.policies.autoaugment_tables import POLICIES


def kept(module: str, name: str) -> Any:
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        pytest.skip(f"Kornia moved it: {error}")


def plain(pairs: list) -> list:
    """Pairs of operators with their names in one spelling."""
    return [[(name.lower().replace("_", ""), chance, level) for name, chance, level in pair] for pair in pairs]


@pytest.mark.parametrize("mode", ["blackbody", "cied"])
def test_planckian_factors(mode):
    theirs = kept("kornia.augmentation._2d.intensity.planckian_jitter", "get_planckian_coeffs")(mode)
    assert torch.equal(planckian_factors(mode), theirs)
    assert len(theirs) == {"blackbody": 25, "cied": 23}[mode]


@pytest.mark.parametrize("name", list(POLICIES))
def test_autoaugment_is_that_of_kornia(name):
    theirs = kept("kornia.augmentation.auto.autoaugment.autoaugment", f"{name}_policy")
    assert plain(POLICIES[name]) == plain(theirs)


@pytest.mark.parametrize("name", list(POLICIES))
def test_autoaugment_is_that_of_torchvision(name):
    theirs = torchvision.AutoAugment(torchvision.AutoAugmentPolicy(name)).policies
    assert plain(POLICIES[name]) == plain(theirs)
