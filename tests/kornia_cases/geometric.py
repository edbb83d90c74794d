"""Where pixels go: Kornia's warps, boxes and keypoints."""

import kornia.geometry as geometry
import kornia.geometry.transform as warps
import torch
from torch import Tensor

import augment as A
from augment.data.types import Params
from augment.draws.noise import uniform_field
from tests.kornia_cases.register import case


def centre(images: Tensor) -> Tensor:
    height, width = images.shape[-2:]
    return images.new_tensor([[(width - 1) / 2, (height - 1) / 2]]).expand(len(images), 2)


def affine_matrix(images: Tensor, params: Params) -> Tensor:
    return warps.get_affine_matrix2d(
        translations=torch.stack([params["translate_x"], params["translate_y"]], -1),
        center=centre(images),
        scale=params["scale"][:, None].expand(-1, 2),
        angle=params["degrees"],
        sx=torch.deg2rad(params["shear_x"]),
        sy=torch.deg2rad(params["shear_y"]),
    )


def corners(params: Params) -> Tensor:
    """(B, 4, 2), the corners of the boxes that were drawn, clockwise, the last pixel included."""
    top, left = params["top"], params["left"]
    bottom, right = top + params["height"] - 1, left + params["width"] - 1
    x, y = torch.stack([left, right, right, left], 1), torch.stack([top, top, bottom, bottom], 1)
    return torch.stack([x, y], -1).float()


AFFINE = A.RandomAffine(20.0, (0.1, 0.1), (0.9, 1.1), 5.0, p=1.0)
TURN = A.RandomAffine(20.0, None, (0.8, 0.9), resample="nearest", p=1.0)

case("(nothing)", "-", A.RandomInvert(p=0.0))(lambda x, _: x)
case("flip, horizontal", "geometry.hflip", A.RandomHorizontalFlip(p=1.0))(lambda x, _: warps.hflip(x))
case("flip, vertical", "geometry.vflip", A.RandomVerticalFlip(p=1.0))(lambda x, _: warps.vflip(x))


@case("affine", "geometry.get_affine_matrix2d, warp_affine", AFFINE)
def _(images, params):
    matrix = affine_matrix(images, params)[:, :2]
    return warps.warp_affine(images, matrix, images.shape[-2:], align_corners=True)


@case("rotate", "geometry.rotate", A.RandomRotation(30.0, p=1.0))
def _(images, params):
    return warps.rotate(images, params["degrees"], align_corners=True)


@case("perspective", "geometry.get_perspective_transform, warp_perspective", A.RandomPerspective(0.4, p=1.0))
def _(images, params):
    height, width = images.shape[-2:]
    start = images.new_tensor([[[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]])
    matrix = warps.get_perspective_transform(start.expand(len(images), 4, 2), params["corners"].to(images.dtype))
    return warps.warp_perspective(images, matrix, (height, width), align_corners=True)


@case("crop", "geometry.crop_by_indices", A.RandomCrop(192))
def _(images, params):
    return warps.crop_by_indices(images, corners(params | dict.fromkeys(("height", "width"), 192)))


@case("crop and resize", "geometry.crop_and_resize", A.RandomResizedCrop(160))
def _(images, params):
    return warps.crop_and_resize(images, corners(params).to(images.dtype), (160, 160), align_corners=False)


@case("resize", "geometry.resize(antialias=True)", A.Resize((160, 160)))
def _(images, params):
    return warps.resize(images, (160, 160), antialias=True)


@case("elastic", "geometry.elastic_transform2d", A.RandomElasticTransform((9, 9), (3.0, 3.0), p=1.0))
def _(images, params):
    noise = uniform_field(params["key"], (2, *images.shape[-2:])).to(images.dtype) * 2 - 1
    return warps.elastic_transform2d(images, noise, (9, 9), (3.0, 3.0), (1.0, 1.0))


@case(
    "thin-plate spline",
    "geometry.get_tps_transform, warp_image_tps",
    A.RandomThinPlateSpline(0.2, p=1.0),
    same=False,  # Kornia moves the centres of the spline, ours stay on the output
)
def _(images, params):
    start = images.new_tensor([[[-1, -1], [-1, 1], [1, -1], [1, 1], [0, 0]]]).expand(len(images), 5, 2)
    moved = start + params["points"].to(images.dtype)
    return warps.warp_image_tps(images, moved, *warps.get_tps_transform(moved, start))


@case("fisheye", "geometry.remap", A.RandomFisheye((-0.3, 0.3), (-0.3, 0.3), (0.9, 1.5), p=1.0))
def _(images, params):
    mesh = geometry.create_meshgrid(*images.shape[-2:], dtype=images.dtype)
    x, y = mesh[..., 0], mesh[..., 1]
    cx, cy, gamma = (params[name][:, None, None] for name in ("center_x", "center_y", "gamma"))
    power = torch.hypot(cx - x, cy - y) ** gamma
    return warps.remap(images, x + x * power, y + y * power, normalized_coordinates=True, align_corners=True)


@case(
    "boxes",
    "geometry.transform_bbox",
    A.RandomAffine(20.0, None, (0.8, 0.9), resample="nearest", p=1.0),
    same=False,
    part="boxes",
)
def _(boxes, params):
    return geometry.transform_bbox(MATRIX.expand(len(boxes), 3, 3), boxes)


@case(
    "keypoints",
    "geometry.transform_points",
    A.RandomAffine(20.0, None, (0.8, 0.9), resample="nearest", p=1.0),
    same=False,
    part="keypoints",
)
def _(points, params):
    return geometry.transform_points(MATRIX.expand(len(points), 3, 3), points)


MATRIX = torch.tensor([[[0.9, -0.1, 12.0], [0.1, 0.9, 3.0], [0.0, 0.0, 1.0]]])
