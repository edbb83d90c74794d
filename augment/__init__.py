"""Image augmentation inside the model: differentiable layers, batched, per sample, keyed by (seed, epoch, index)."""

from augment.base import Layer
from augment.batch import Batch, PackedImages
from augment.distributions import Bernoulli, Beta, Choice, Constant, Distribution, LogUniform, Normal, Uniform
from augment.filtering.blur import RandomGaussianBlur
from augment.geometric.affine import RandomAffine, RandomRotation
from augment.geometric.crop import CenterCrop, RandomCrop, RandomResizedCrop
from augment.geometric.flip import RandomHorizontalFlip, RandomRotation90, RandomVerticalFlip
from augment.geometric.perspective import RandomPerspective
from augment.geometric.resize import Resize
from augment.layer import ImageOp, Mix, PixelOp, Warp
from augment.mixing.cutmix import RandomCutMix
from augment.mixing.mixup import RandomMixUp
from augment.noise import uniform
from augment.photometric.adjust import (
    RandomBrightness,
    RandomContrast,
    RandomGamma,
    RandomHue,
    RandomSaturation,
)
from augment.photometric.erasing import RandomErasing
from augment.photometric.grayscale import RandomGrayscale
from augment.photometric.jitter import ColorJitter
from augment.photometric.noise import RandomGaussianNoise
from augment.photometric.normalize import Denormalize, Normalize
from augment.pipeline import Pipeline
from augment.preprocess import Preprocess

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Channel statistics of ImageNet in [0, 1], the values that published weights expect."""

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "Batch",
    "Bernoulli",
    "Beta",
    "CenterCrop",
    "Choice",
    "ColorJitter",
    "Constant",
    "Denormalize",
    "Distribution",
    "ImageOp",
    "Layer",
    "LogUniform",
    "Mix",
    "Normal",
    "Normalize",
    "PackedImages",
    "Pipeline",
    "PixelOp",
    "Preprocess",
    "RandomAffine",
    "RandomBrightness",
    "RandomContrast",
    "RandomCrop",
    "RandomCutMix",
    "RandomErasing",
    "RandomGamma",
    "RandomGaussianBlur",
    "RandomGaussianNoise",
    "RandomGrayscale",
    "RandomHorizontalFlip",
    "RandomHue",
    "RandomMixUp",
    "RandomPerspective",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomRotation90",
    "RandomSaturation",
    "RandomVerticalFlip",
    "Resize",
    "Uniform",
    "Warp",
    "uniform",
]
