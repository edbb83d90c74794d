"""Image augmentation inside the model: differentiable layers, batched, per sample, keyed by (seed, epoch, index)."""

from typing import TYPE_CHECKING, Any

from augment.core.kinds import DenseWarp, ImageOp, PixelOp, Warp
from augment.core.layer import Layer
from augment.core.mix import Mix
from augment.core.opaque import Opaque
from augment.core.pipeline import Pipeline
from augment.data.batch import Batch
from augment.data.packed import PackedImages
from augment.data.prefetch import prefetched
from augment.draws import objectives
from augment.draws.distributions import (
    Bernoulli,
    Beta,
    Choice,
    Constant,
    Distribution,
    LogUniform,
    Normal,
    Spread,
    Uniform,
)
from augment.draws.noise import uniform
from augment.layers.filtering.blur import RandomBoxBlur, RandomGaussianBlur
from augment.layers.filtering.histogram import RandomAutoContrast, RandomClahe, RandomEqualize
from augment.layers.filtering.jpeg import RandomJPEG
from augment.layers.filtering.median import RandomMedianBlur
from augment.layers.filtering.motion import RandomMotionBlur
from augment.layers.filtering.sharpness import RandomSharpness
from augment.layers.filtering.weather import RandomRain, RandomSnow
from augment.layers.geometric.affine import RandomAffine, RandomRotation, RandomShear, RandomTranslate
from augment.layers.geometric.crop import CenterCrop, RandomCrop, RandomResizedCrop
from augment.layers.geometric.dense import (
    RandomElasticTransform,
    RandomFisheye,
    RandomGridDistortion,
    RandomThinPlateSpline,
)
from augment.layers.geometric.flip import RandomHorizontalFlip, RandomRotation90, RandomVerticalFlip
from augment.layers.geometric.pad import Pad, PadTo
from augment.layers.geometric.perspective import RandomPerspective
from augment.layers.geometric.resize import LongestMaxSize, Resize, SmallestMaxSize
from augment.layers.mixing.choice import RandomMix
from augment.layers.mixing.cutmix import RandomCutMix
from augment.layers.mixing.jigsaw import RandomJigsaw
from augment.layers.mixing.mixup import RandomMixUp
from augment.layers.mixing.mosaic import RandomMosaic
from augment.layers.mixing.resizemix import ResizeMix
from augment.layers.mixing.transplantation import RandomTransplantation
from augment.layers.photometric.adjust import RandomBrightness, RandomContrast, RandomGamma, RandomHue, RandomSaturation
from augment.layers.photometric.channels import (
    RandomChannelDropout,
    RandomChannelShuffle,
    RandomPlanckianJitter,
    RandomRGBShift,
)
from augment.layers.photometric.erasing import RandomErasing
from augment.layers.photometric.grayscale import RandomGrayscale
from augment.layers.photometric.holes import CoarseDropout, GridMask
from augment.layers.photometric.illumination import (
    RandomGaussianIllumination,
    RandomLinearCornerIllumination,
    RandomLinearIllumination,
)
from augment.layers.photometric.jitter import ColorJiggle, ColorJitter
from augment.layers.photometric.noise import RandomGaussianNoise, RandomSaltAndPepperNoise
from augment.layers.photometric.normalize import Denormalize, Normalize
from augment.layers.photometric.plasma import RandomPlasmaBrightness, RandomPlasmaContrast, RandomPlasmaShadow
from augment.layers.photometric.tone import RandomInvert, RandomPosterize, RandomSolarize, RandomToneCurve
from augment.layers.policies.augmix import AugMix
from augment.layers.policies.autoaugment import AutoAugment
from augment.layers.policies.containers import OneOf, RandomApply, RandomOrder, SomeOf
from augment.layers.policies.learned import LearnedPolicy
from augment.layers.policies.randaugment import RandAugment, TrivialAugmentWide
from augment.layers.policies.three_augment import ThreeAugment
from augment.recipes import presets
from augment.recipes.export import export_program
from augment.recipes.interop import from_kornia, from_torchvision
from augment.recipes.preprocess import Preprocess
from augment.recipes.presets import IMAGENET_MEAN, IMAGENET_STD

if TYPE_CHECKING:
    from augment.tools.sources import as_images

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "AugMix",
    "AutoAugment",
    "Batch",
    "Bernoulli",
    "Beta",
    "CenterCrop",
    "Choice",
    "CoarseDropout",
    "ColorJiggle",
    "ColorJitter",
    "Constant",
    "Denormalize",
    "DenseWarp",
    "Distribution",
    "GridMask",
    "ImageOp",
    "Layer",
    "LearnedPolicy",
    "LogUniform",
    "LongestMaxSize",
    "Mix",
    "Normal",
    "Normalize",
    "OneOf",
    "Opaque",
    "PackedImages",
    "Pad",
    "PadTo",
    "Pipeline",
    "PixelOp",
    "Preprocess",
    "RandAugment",
    "RandomAffine",
    "RandomApply",
    "RandomAutoContrast",
    "RandomBoxBlur",
    "RandomBrightness",
    "RandomChannelDropout",
    "RandomChannelShuffle",
    "RandomClahe",
    "RandomContrast",
    "RandomCrop",
    "RandomCutMix",
    "RandomElasticTransform",
    "RandomEqualize",
    "RandomErasing",
    "RandomFisheye",
    "RandomGamma",
    "RandomGaussianBlur",
    "RandomGaussianIllumination",
    "RandomGaussianNoise",
    "RandomGrayscale",
    "RandomGridDistortion",
    "RandomHorizontalFlip",
    "RandomHue",
    "RandomInvert",
    "RandomJPEG",
    "RandomJigsaw",
    "RandomLinearCornerIllumination",
    "RandomLinearIllumination",
    "RandomMedianBlur",
    "RandomMix",
    "RandomMixUp",
    "RandomMosaic",
    "RandomMotionBlur",
    "RandomOrder",
    "RandomPerspective",
    "RandomPlanckianJitter",
    "RandomPlasmaBrightness",
    "RandomPlasmaContrast",
    "RandomPlasmaShadow",
    "RandomPosterize",
    "RandomRGBShift",
    "RandomRain",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomRotation90",
    "RandomSaltAndPepperNoise",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomSnow",
    "RandomSolarize",
    "RandomThinPlateSpline",
    "RandomToneCurve",
    "RandomTranslate",
    "RandomTransplantation",
    "RandomVerticalFlip",
    "Resize",
    "ResizeMix",
    "SmallestMaxSize",
    "SomeOf",
    "Spread",
    "ThreeAugment",
    "TrivialAugmentWide",
    "Uniform",
    "Warp",
    "as_images",
    "export_program",
    "from_kornia",
    "from_torchvision",
    "objectives",
    "prefetched",
    "presets",
    "uniform",
]


def __getattr__(name: str) -> Any:
    """Import what only callers with files need when they ask for it."""
    if name == "as_images":
        from augment.tools.sources import as_images

        return as_images
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
