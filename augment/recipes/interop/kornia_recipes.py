"""Conversion of whole Kornia recipes, with converters of containers, policies and mixes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import kornia
import kornia.augmentation as K
import torch
from torch import nn

import augment as A  # names are looked up when a converter is called, because augment imports this module
from augment.core.layer import Layer
from augment.recipes.interop.conversion import Conversion, Converted, NoEquivalentError, numbers, quantity, single
from augment.recipes.interop.kornia_layers import LAYERS, gate

_WITHOUT_DRAWS = ("kornia.filters", "kornia.enhance", "kornia.color", "kornia.geometry")
"""Packages of modules without random draws."""


def from_kornia(module: nn.Module, strict: bool = False, num_classes: int | None = None) -> Layer:
    """Converts Kornia augmentations to layers with the same ranges, probabilities and `same_on_batch`.

    Args:
        module: an AugmentationSequential, ImageSequential, VideoSequential or nn.Sequential of augmentations, filters
            and layers of augment, nested to any depth; or a single augmentation.
        strict: raise an error if a module has no equivalent. Otherwise the module runs unchanged in an `Opaque` stage.
        num_classes: number of classes, needed by RandomMixUpV2, RandomCutMixV2 and similar if labels are class indices.

    Returns:
        A Pipeline for a container, a layer for a single augmentation.

    Raises:
        ValueError: some modules cannot be converted; the error lists all of them with reasons. Without `strict`, these
            are the modules that cannot be a stage either.

    Example:
        >>> import kornia.augmentation as K
        >>> A.from_kornia(K.RandomHorizontalFlip(p=0.3))
        RandomHorizontalFlip(
          (p): Bernoulli(0.3)
        )
    """
    conversion = Conversion(_find, _stage, strict, num_classes)
    layers = conversion.layers(module)
    conversion.finished("from_kornia")
    return A.Pipeline(*layers) if type(module) in CONTAINERS else single(layers)


def _find(module: nn.Module) -> Callable[[Any, Conversion], Converted] | None:
    return TABLE.get(type(module))


def _stage(module: nn.Module) -> Layer:
    """Wraps an unchanged module in a stage."""
    parts = list(module.modules())
    if any(isinstance(part, _NO_STAGE) or type(part).__name__.endswith("3D") for part in parts):
        raise NoEquivalentError("it needs more than images (B, C, H, W), so it cannot run as it is")
    if any(isinstance(part, _RESHAPING) for part in parts) or _reshapes(module):
        raise NoEquivalentError("it changes the shape of the images, so it cannot run as it is")
    drawn = not type(module).__module__.startswith(_WITHOUT_DRAWS)
    return A.Opaque(module, random=drawn, same_on_batch=bool(getattr(module, "same_on_batch", False)))


_NO_STAGE = (
    K.MixAugmentationBaseV2,
    K.RandomTransplantation,
    K.VideoSequential,
    K.ManyToManyAugmentationDispather,
    K.ManyToOneAugmentationDispather,
)
"""Modules that need labels, masks, several inputs or images of another shape."""

_RESHAPING = (
    *(K.CenterCrop, K.LongestMaxSize, K.PadTo, K.RandomCrop, K.RandomResizedCrop, K.Resize, K.SmallestMaxSize),
)

_PROBE = (1, 3, 37, 41)
"""Shape of a probe image; its odd sides expose modules that change the shape."""


def _reshapes(module: nn.Module) -> bool:
    """Whether a module without draws, or of torch, changes the shape of a probe image; False if it cannot run on it."""
    if not type(module).__module__.startswith((*_WITHOUT_DRAWS, "torch.nn")):
        return False
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            out = copy.deepcopy(module)(torch.full(_PROBE, 0.5))
    except Exception:  # it needs other images than the probe, so the first real call has to show
        return False
    return not isinstance(out, torch.Tensor) or out.shape != _PROBE


def _cutmix(k: Any, conversion: Conversion) -> Converted:
    g = k._param_generator
    if g.cut_size is not None:
        raise NoEquivalentError("cut_size is not supported")
    beta = 1.0 if g.beta is None else float(g.beta)
    arguments = gate(k) | {"num_classes": conversion.num_classes}
    return [A.RandomCutMix(beta=beta, **arguments) for _ in range(g.num_mix)]


def _mixup(k: Any, conversion: Conversion) -> Converted:
    share = k._param_generator.lambda_val
    share = (0.0, 1.0) if share is None else quantity(share)
    return A.RandomMixUp(share, num_classes=conversion.num_classes, **gate(k))


def _mosaic(k: Any, conversion: Conversion) -> Converted:
    names = ("output_size", "mosaic_grid", "min_bbox_size")
    arguments = {name: k.flags[name] for name in names} | {"p": k.p * k.p_batch, "num_classes": conversion.num_classes}
    return A.RandomMosaic(start_ratio_range=quantity(k.start_ratio_range), **arguments)


def _jigsaw(k: Any, _: Conversion) -> Converted:
    return A.RandomJigsaw(k.flags["grid"], k._param_generator.ensure_perm, **gate(k))


def _transplantation(k: Any, conversion: Conversion) -> Converted:
    return A.RandomTransplantation(k.excluded_labels.tolist(), conversion.num_classes, **gate(k))


def _patchmix(k: Any, _: Conversion) -> Converted:
    raise NoEquivalentError("it moves patches but keeps the labels; RandomCutMix mixes both", runs=False)


def _policy(cls: str) -> Callable[[Any, Conversion], Converted]:
    """Returns a converter for RandAugment or TrivialAugment with Kornia's default policy."""

    def convert(k: Any, _: Conversion) -> Converted:
        arguments = {"n": k.n, "m": k.m} if cls == "RandAugment" else {}
        if repr(k) != repr(type(k)(**arguments)):
            raise NoEquivalentError("with a policy of your own; write it with OneOf or SomeOf")
        return getattr(A, cls)(**arguments)

    return convert


def _auto_augment(k: Any, _: Conversion) -> Converted:
    for name in ("imagenet", "cifar10", "svhn"):
        if repr(k) == repr(K.auto.AutoAugment(name)):
            return A.AutoAugment(name)
    raise NoEquivalentError("with a policy of your own; write it with OneOf or SomeOf")


def _sequence(k: Any, conversion: Conversion) -> Converted:
    return conversion.sequence(k.children())


def _video(k: Any, conversion: Conversion) -> Converted:
    if k.data_format != "BTCHW" or not k.same_on_frame:
        raise NoEquivalentError("clips are (B, T, C, H, W) here, and their frames share one draw", runs=False)
    return _container(k, conversion)


def _container(k: Any, conversion: Conversion) -> Converted:
    """Converts ImageSequential and its subclasses, with `random_apply`."""
    children = list(k.children())
    if not k.random_apply:
        return conversion.sequence(children)
    if any(isinstance(child, K.MixAugmentationBaseV2) for child in children):
        raise NoEquivalentError("random_apply with a mixing child", runs=False)
    fewest, most = k.random_apply[0], k.random_apply[1] - 1
    weights, same = k.random_apply_weights.tolist(), {"same_on_batch": bool(k.same_on_batch)}
    repeats = most > sum(weights) or most > sum(w > 0 for w in weights)  # Kornia's own condition
    if most > 1 and repeats and fewest != most:
        raise NoEquivalentError("random_apply of a varying number of children with repetition")
    layers = conversion.alternatives(children)
    if conversion.failures:
        return []
    if fewest == most and (most == 1 or repeats):
        return [A.OneOf(layers, weights, **same) for _ in range(most)]
    if fewest == most == len(layers):
        return A.RandomOrder(layers, **same)
    return A.SomeOf(layers, (fewest, most), weights, **same)


CONTAINERS = (nn.Sequential, K.ImageSequential, K.AugmentationSequential, K.VideoSequential)

TABLE: dict[type, Callable[[Any, Conversion], Converted]] = LAYERS | {
    nn.Sequential: _sequence,
    K.ImageSequential: _container,
    K.AugmentationSequential: _container,
    K.VideoSequential: _video,
    nn.Identity: lambda k, _: [],
    kornia.enhance.Normalize: lambda k, _: A.Normalize(numbers(k.mean), numbers(k.std)),
    kornia.enhance.Denormalize: lambda k, _: A.Denormalize(numbers(k.mean), numbers(k.std)),
    # mixing and policies
    K.PatchMix: _patchmix,
    K.RandomCutMixV2: _cutmix,
    K.RandomMixUpV2: _mixup,
    K.RandomJigsaw: _jigsaw,
    K.RandomMosaic: _mosaic,
    K.RandomTransplantation: _transplantation,
    K.auto.AutoAugment: _auto_augment,
    K.auto.RandAugment: _policy("RandAugment"),
    K.auto.TrivialAugment: _policy("TrivialAugmentWide"),
}
