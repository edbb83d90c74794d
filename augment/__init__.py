"""Image augmentation inside the model: differentiable layers, batched, per sample, keyed by (seed, epoch, index)."""

from augment.base import Layer
from augment.batch import Batch, PackedImages
from augment.distributions import Bernoulli, Beta, Choice, Constant, Distribution, LogUniform, Normal, Uniform
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
from augment.geometric.pad import PadTo
from augment.geometric.perspective import RandomPerspective
from augment.geometric.resize import LongestMaxSize, Resize, SmallestMaxSize
from augment.layer import DenseWarp, ImageOp, Mix, PixelOp, Warp
from augment.mixing.cutmix import RandomCutMix
from augment.mixing.mixup import RandomMixUp
from augment.noise import uniform
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
from augment.policies.randaugment import RandAugment, TrivialAugmentWide
from augment.policies.three_augment import ThreeAugment
from augment.preprocess import Preprocess

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Channel statistics of ImageNet in [0, 1], the values that published weights expect."""

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
    "LogUniform",
    "LongestMaxSize",
    "Mix",
    "Normal",
    "Normalize",
    "OneOf",
    "PackedImages",
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
    "RandomLinearCornerIllumination",
    "RandomLinearIllumination",
    "RandomMedianBlur",
    "RandomMixUp",
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
    "RandomVerticalFlip",
    "Resize",
    "SmallestMaxSize",
    "SomeOf",
    "ThreeAugment",
    "TrivialAugmentWide",
    "Uniform",
    "Warp",
    "uniform",
]
