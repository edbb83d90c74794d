"""Image augmentation inside the model: differentiable layers, batched, per sample, keyed by (seed, epoch, index)."""

from augment import presets
from augment.base import Layer
from augment.batch import Batch, PackedImages
from augment.copies import prefetched
from augment.distributions import Bernoulli, Beta, Choice, Constant, Distribution, LogUniform, Normal, Spread, Uniform
from augment.filtering.blur import RandomBoxBlur, RandomGaussianBlur
from augment.filtering.histogram import RandomAutoContrast, RandomClahe, RandomEqualize
from augment.filtering.jpeg import RandomJPEG
from augment.filtering.median import RandomMedianBlur
from augment.filtering.motion import RandomMotionBlur
from augment.filtering.sharpness import RandomSharpness
from augment.filtering.weather import RandomRain, RandomSnow
from augment.geometric.affine import RandomAffine, RandomRotation, RandomShear, RandomTranslate
from augment.geometric.crop import CenterCrop, RandomCrop, RandomResizedCrop
from augment.geometric.dense import RandomElasticTransform, RandomFisheye, RandomGridDistortion, RandomThinPlateSpline
from augment.geometric.flip import RandomHorizontalFlip, RandomRotation90, RandomVerticalFlip
from augment.geometric.pad import Pad, PadTo
from augment.geometric.perspective import RandomPerspective
from augment.geometric.resize import LongestMaxSize, Resize, SmallestMaxSize
from augment.interop import from_kornia, from_torchvision
from augment.layer import DenseWarp, ImageOp, PixelOp, Warp
from augment.mix import Mix
from augment.mixing.choice import RandomMix
from augment.mixing.cutmix import RandomCutMix
from augment.mixing.jigsaw import RandomJigsaw
from augment.mixing.mixup import RandomMixUp
from augment.mixing.mosaic import RandomMosaic
from augment.mixing.resizemix import ResizeMix
from augment.mixing.transplantation import RandomTransplantation
from augment.noise import uniform
from augment.opaque import Opaque
from augment.photometric.adjust import RandomBrightness, RandomContrast, RandomGamma, RandomHue, RandomSaturation
from augment.photometric.channels import (
    RandomChannelDropout,
    RandomChannelShuffle,
    RandomPlanckianJitter,
    RandomRGBShift,
)
from augment.photometric.erasing import RandomErasing
from augment.photometric.grayscale import RandomGrayscale
from augment.photometric.holes import CoarseDropout, GridMask
from augment.photometric.illumination import (
    RandomGaussianIllumination,
    RandomLinearCornerIllumination,
    RandomLinearIllumination,
)
from augment.photometric.jitter import ColorJiggle, ColorJitter
from augment.photometric.noise import RandomGaussianNoise, RandomSaltAndPepperNoise
from augment.photometric.normalize import Denormalize, Normalize
from augment.photometric.plasma import RandomPlasmaBrightness, RandomPlasmaContrast, RandomPlasmaShadow
from augment.photometric.tone import RandomInvert, RandomPosterize, RandomSolarize, RandomToneCurve
from augment.pipeline import Pipeline
from augment.policies.augmix import AugMix
from augment.policies.autoaugment import AutoAugment
from augment.policies.containers import OneOf, RandomApply, RandomOrder, SomeOf
from augment.policies.learned import LearnedPolicy
from augment.policies.randaugment import RandAugment, TrivialAugmentWide
from augment.policies.three_augment import ThreeAugment
from augment.preprocess import Preprocess
from augment.presets import IMAGENET_MEAN, IMAGENET_STD

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
    "from_kornia",
    "from_torchvision",
    "prefetched",
    "presets",
    "uniform",
]
