"""Neighbourhoods of pixels, and several images."""

import kornia.augmentation as K
import kornia.enhance as enhance
import kornia.filters as filters
import torch

import augment as A
from tests.kornia_cases.register import case


@case("sharpness", "enhance.sharpness", A.RandomSharpness((0.2, 1.8), p=1.0))
def _(images, params):
    return enhance.sharpness(images, params["sharpness"])


@case("Gaussian blur", "filters.gaussian_blur2d", A.RandomGaussianBlur(7, (0.5, 2.0), p=1.0))
def _(images, params):
    return filters.gaussian_blur2d(images, (7, 7), params["sigma"][:, None].expand(-1, 2))


case("box blur", "filters.box_blur(separable=True)", A.RandomBoxBlur(5, p=1.0))(
    lambda x, _: filters.box_blur(x, (5, 5), separable=True)
)
case("median blur", "filters.median_blur", A.RandomMedianBlur(3, p=1.0))(lambda x, _: filters.median_blur(x, (3, 3)))


@case("motion blur", "filters.motion_blur", A.RandomMotionBlur(7, 40.0, 0.5, p=1.0))
def _(images, params):
    return filters.motion_blur(images, 7, params["angle"], params["direction"], "constant")


@case("JPEG", "enhance.jpeg_codec_differentiable", A.RandomJPEG((20.0, 90.0), p=1.0))
def _(images, params):
    return enhance.jpeg_codec_differentiable(images, params["jpeg_quality"].to(images.dtype))


MIXUP, CUTMIX, MOSAIC, JIGSAW = (
    K.RandomMixUpV2(p=1.0, data_keys=["input", "class"]),
    K.RandomCutMixV2(p=1.0, data_keys=["input", "class"], use_correct_lambda=True),
    K.RandomMosaic(p=1.0, data_keys=["input"]),
    K.RandomJigsaw(grid=(4, 4), p=1.0, data_keys=["input"]),
)

case("mixup", "RandomMixUpV2", A.RandomMixUp(), same=False)(lambda x, _: MIXUP(x, torch.arange(len(x)))[0])
case("cutmix", "RandomCutMixV2", A.RandomCutMix(), same=False)(lambda x, _: CUTMIX(x, torch.arange(len(x)))[0])
case("mosaic", "RandomMosaic", A.RandomMosaic(p=1.0), same=False)(lambda x, _: MOSAIC(x))
case("jigsaw", "RandomJigsaw", A.RandomJigsaw((4, 4), p=1.0), same=False)(lambda x, _: JIGSAW(x))
