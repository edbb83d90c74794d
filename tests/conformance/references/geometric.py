"""Warps: Kornia's functional operators, torchvision's for crops and resizes (Kornia's are not antialiased)."""

import kornia.geometry.transform as geometry
import torch
import torchvision.transforms.v2.functional as tv

from tests.conformance.references.register import per_image, reference


@reference("RandomHorizontalFlip")
def _(images, params):
    return images.flip(-1)


@reference("RandomVerticalFlip")
def _(images, params):
    return images.flip(-2)


@reference("RandomRotation")
def _(images, params):
    return geometry.rotate(images, params["degrees"], align_corners=True)


@reference("RandomRotation90")
def _(images, params):
    return geometry.rotate(images, params["times"] * 90, align_corners=True)


@reference("RandomAffine")
def _(images, params):
    height, width = images.shape[-2:]
    matrix = geometry.get_affine_matrix2d(
        translations=torch.stack([params["translate_x"], params["translate_y"]], -1),
        center=images.new_tensor([[(width - 1) / 2, (height - 1) / 2]]).expand(len(images), 2),
        scale=params["scale"][:, None].expand(-1, 2),
        angle=params["degrees"],
        sx=torch.deg2rad(params["shear_x"]),
        sy=torch.deg2rad(params["shear_y"]),
    )
    return geometry.warp_affine(images, matrix[:, :2], (height, width), align_corners=True)


@reference("RandomPerspective")
def _(images, params):
    height, width = images.shape[-2:]
    start = images.new_tensor([[[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]])
    matrix = geometry.get_perspective_transform(start.expand(len(images), 4, 2), params["corners"])
    return geometry.warp_perspective(images, matrix, (height, width), align_corners=True)


@reference("CenterCrop")
def _(images, params):
    return tv.center_crop(images, [9, 10])


@reference("RandomCrop", example={"size": (9, 10), "padding": 0})
@per_image
def _(image, row):
    return tv.crop(image, int(row["top"]), int(row["left"]), 9, 10)


@reference("RandomResizedCrop")
@per_image
def _(image, row):
    box = [int(row[name]) for name in ("top", "left", "height", "width")]
    return tv.resized_crop(image, *box, size=[9, 10], antialias=True)


@reference("Resize")
def _(images, params):
    return tv.resize(images, [9, 10], antialias=True)
