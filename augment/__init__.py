"""Image augmentation inside the model: differentiable layers, batched, per sample, keyed by (seed, epoch, index)."""

from typing import TYPE_CHECKING, Any

from augment.core.kinds import DenseWarp, ImageOp, PixelOp, Warp
from augment.core.layer import Layer
from augment.core.mix import Mix
from augment.core.opaque import Opaque
from augment.core.pipeline import Pipeline
from augment.core.views import Views
from augment.data.batch import Batch
from augment.data.collate import collate
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
    Schedule,
    Spread,
    Uniform,
)
from augment.draws.noise import uniform
from augment.layers.filtering.blur import RandomBoxBlur, RandomGaussianBlur
from augment.layers.filtering.chromatic import ChromaticAberration
from augment.layers.filtering.defocus import RandomDefocus
from augment.layers.filtering.downscale import Downscale
from augment.layers.filtering.glass import RandomGlassBlur
from augment.layers.filtering.histogram import RandomAutoContrast, RandomClahe, RandomEqualize
from augment.layers.filtering.jpeg import RandomJPEG
from augment.layers.filtering.median import RandomMedianBlur
from augment.layers.filtering.motion import RandomMotionBlur
from augment.layers.filtering.pixelate import RandomPixelate
from augment.layers.filtering.sharpness import RandomSharpness
from augment.layers.filtering.snowfall import RandomSnowfall
from augment.layers.filtering.spatter import Spatter
from augment.layers.filtering.unsharp import UnsharpMask
from augment.layers.filtering.weather import RandomRain, RandomSnow
from augment.layers.filtering.zoom import RandomZoomBlur
from augment.layers.geometric.affine import RandomAffine, RandomRotation, RandomShear, RandomTranslate
from augment.layers.geometric.box_crop import RandomIoUCrop, RandomSizedBBoxSafeCrop
from augment.layers.geometric.crop import CenterCrop, RandomCrop, RandomResizedCrop
from augment.layers.geometric.dense import (
    RandomElasticTransform,
    RandomFisheye,
    RandomGridDistortion,
    RandomThinPlateSpline,
)
from augment.layers.geometric.flip import D4, RandomHorizontalFlip, RandomRotation90, RandomVerticalFlip, Transpose
from augment.layers.geometric.keep_ratio import RandomKeepRatioCrop
from augment.layers.geometric.lens import OpticalDistortion
from augment.layers.geometric.pad import Pad, PadTo
from augment.layers.geometric.perspective import RandomPerspective
from augment.layers.geometric.resize import LongestMaxSize, Resize, SmallestMaxSize
from augment.layers.mixing.choice import RandomMix
from augment.layers.mixing.cutmix import RandomCutMix
from augment.layers.mixing.fda import FDA
from augment.layers.mixing.histogram_matching import HistogramMatching
from augment.layers.mixing.jigsaw import RandomJigsaw
from augment.layers.mixing.mixup import RandomMixUp
from augment.layers.mixing.mosaic import RandomMosaic
from augment.layers.mixing.resizemix import ResizeMix
from augment.layers.mixing.transplantation import RandomTransplantation
from augment.layers.photometric.adjust import (
    RandomBrightness,
    RandomContrast,
    RandomGamma,
    RandomHSV,
    RandomHue,
    RandomSaturation,
)
from augment.layers.photometric.channels import (
    RandomChannelDropout,
    RandomChannelShuffle,
    RandomPlanckianJitter,
    RandomRGBShift,
)
from augment.layers.photometric.erasing import RandomErasing
from augment.layers.photometric.fancy_pca import FancyPCA
from augment.layers.photometric.fog import RandomFog
from augment.layers.photometric.grayscale import RandomGrayscale
from augment.layers.photometric.holes import CoarseDropout, GridMask, XYMasking
from augment.layers.photometric.illumination import (
    RandomGaussianIllumination,
    RandomLinearCornerIllumination,
    RandomLinearIllumination,
)
from augment.layers.photometric.iso import ISONoise
from augment.layers.photometric.jitter import ColorJiggle, ColorJitter
from augment.layers.photometric.noise import (
    MultiplicativeNoise,
    RandomGaussianNoise,
    RandomSaltAndPepperNoise,
    RandomShotNoise,
    RandomSpeckleNoise,
)
from augment.layers.photometric.normalize import Denormalize, Normalize
from augment.layers.photometric.pixel_dropout import PixelDropout
from augment.layers.photometric.plasma import RandomPlasmaBrightness, RandomPlasmaContrast, RandomPlasmaShadow
from augment.layers.photometric.shadow import RandomShadow
from augment.layers.photometric.stain import HEStain
from augment.layers.photometric.sun_flare import RandomSunFlare
from augment.layers.photometric.tone import RandomInvert, RandomPosterize, RandomSolarize, RandomToneCurve
from augment.layers.policies.augmix import AugMix
from augment.layers.policies.autoaugment import AutoAugment
from augment.layers.policies.containers import OneOf, RandomApply, RandomOrder, SomeOf
from augment.layers.policies.learned import LearnedPolicy
from augment.layers.policies.randaugment import RandAugment, TrivialAugmentWide
from augment.layers.policies.three_augment import ThreeAugment
from augment.recipes import presets
from augment.recipes.export import export_program
from augment.recipes.interop import from_albumentations, from_kornia, from_torchvision
from augment.recipes.postprocess import MaskToImage, ResizeBack, TopClasses
from augment.recipes.preprocess import Preprocess
from augment.recipes.presets import IMAGENET_MEAN, IMAGENET_STD

if TYPE_CHECKING:
    from augment.tools.sources import as_images

__version__ = "0.1.0"

__all__ = [
    "D4",
    "FDA",
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "AugMix",
    "AutoAugment",
    "Batch",
    "Bernoulli",
    "Beta",
    "CenterCrop",
    "Choice",
    "ChromaticAberration",
    "CoarseDropout",
    "ColorJiggle",
    "ColorJitter",
    "Constant",
    "Denormalize",
    "DenseWarp",
    "Distribution",
    "Downscale",
    "FancyPCA",
    "GridMask",
    "HEStain",
    "HistogramMatching",
    "ISONoise",
    "ImageOp",
    "Layer",
    "LearnedPolicy",
    "LogUniform",
    "LongestMaxSize",
    "MaskToImage",
    "Mix",
    "MultiplicativeNoise",
    "Normal",
    "Normalize",
    "OneOf",
    "Opaque",
    "OpticalDistortion",
    "PackedImages",
    "Pad",
    "PadTo",
    "Pipeline",
    "PixelDropout",
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
    "RandomDefocus",
    "RandomElasticTransform",
    "RandomEqualize",
    "RandomErasing",
    "RandomFisheye",
    "RandomFog",
    "RandomGamma",
    "RandomGaussianBlur",
    "RandomGaussianIllumination",
    "RandomGaussianNoise",
    "RandomGlassBlur",
    "RandomGrayscale",
    "RandomGridDistortion",
    "RandomHSV",
    "RandomHorizontalFlip",
    "RandomHue",
    "RandomInvert",
    "RandomIoUCrop",
    "RandomJPEG",
    "RandomJigsaw",
    "RandomKeepRatioCrop",
    "RandomLinearCornerIllumination",
    "RandomLinearIllumination",
    "RandomMedianBlur",
    "RandomMix",
    "RandomMixUp",
    "RandomMosaic",
    "RandomMotionBlur",
    "RandomOrder",
    "RandomPerspective",
    "RandomPixelate",
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
    "RandomShadow",
    "RandomSharpness",
    "RandomShear",
    "RandomShotNoise",
    "RandomSizedBBoxSafeCrop",
    "RandomSnow",
    "RandomSnowfall",
    "RandomSolarize",
    "RandomSpeckleNoise",
    "RandomSunFlare",
    "RandomThinPlateSpline",
    "RandomToneCurve",
    "RandomTranslate",
    "RandomTransplantation",
    "RandomVerticalFlip",
    "RandomZoomBlur",
    "Resize",
    "ResizeBack",
    "ResizeMix",
    "Schedule",
    "SmallestMaxSize",
    "SomeOf",
    "Spatter",
    "Spread",
    "ThreeAugment",
    "TopClasses",
    "Transpose",
    "TrivialAugmentWide",
    "Uniform",
    "UnsharpMask",
    "Views",
    "Warp",
    "XYMasking",
    "as_images",
    "collate",
    "export_program",
    "from_albumentations",
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
