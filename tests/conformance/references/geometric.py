"""References of warps: Kornia's functional operators, and torchvision for crops and resizes, which it antialiases."""

import cv2
import kornia.geometry.transform as geometry
import numpy as np
import torch
import torch.nn.functional as F
import torchvision.transforms.v2.functional as tv
from albumentations.augmentations.geometric.functional import d4
from kornia.geometry import create_meshgrid
from scipy.interpolate import RBFInterpolator
from scipy.ndimage import map_coordinates

from augment.draws.noise import uniform_field
from tests.conformance.references.register import per_image, reference

SYMMETRIES = ("e", "r90", "r180", "r270", "v", "hvt", "h", "t")
"""Names that albumentations gives to the elements of D4."""


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


def seen_through(image, camera, coefficients, mode):
    """Sample an image (C, H, W) where OpenCV's camera with these coefficients projects its pixels to."""
    y, x = np.mgrid[: image.shape[1], : image.shape[2]]
    rays = np.linalg.solve(camera, np.stack([x.ravel(), y.ravel(), np.ones(x.size)]))
    lens = np.array([*coefficients, 0.0, 0.0])
    points, _ = cv2.projectPoints(rays.T.copy(), np.zeros(3), np.zeros(3), camera, lens)
    at = points[:, 0, ::-1].T.reshape(2, *x.shape)
    if mode == "constant":  # scipy fades only beyond the last pixel with a margin of zeros
        image, at = np.pad(image, ((0, 0), (1, 1), (1, 1))), at + 1
    return np.stack([map_coordinates(plane, at, order=1, mode=mode) for plane in image])


def framed(image, height, width):
    """Cut out or pad the middle part of an image; the part that is cut off at the top and left is rounded up."""
    top, left = ((n - m + 1) // 2 for n, m in zip(image.shape[1:], (height, width), strict=True))
    return F.pad(image, (-left, width - image.shape[2] + left, -top, height - image.shape[1] + top))


@reference("D4")
@per_image
def _(image, row):
    height, width = image.shape[1:]
    turned = torch.from_numpy(d4(image.permute(1, 2, 0).numpy(), SYMMETRIES[int(row["element"])]).copy())
    return framed(turned.permute(2, 0, 1), height, width)


@reference("Transpose")
def _(images, params):
    return torch.stack([framed(image.transpose(1, 2), *images.shape[2:]) for image in images])


@reference("RandomAffine", example={"scale": (0.8, 1.2, 0.6, 0.9)})
def _(images, params):
    height, width = images.shape[-2:]
    matrix = geometry.get_affine_matrix2d(
        translations=torch.stack([params["translate_x"], params["translate_y"]], -1),
        center=images.new_tensor([[(width - 1) / 2, (height - 1) / 2]]).expand(len(images), 2),
        scale=torch.stack([params["scale"], params["scale_y"]], -1),
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


@reference("RandomIoUCrop")
@reference("RandomSizedBBoxSafeCrop")
@reference("RandomResizedCrop")
@per_image
def _(image, row):
    box = [int(row[name]) for name in ("top", "left", "height", "width")]
    return tv.resized_crop(image, *box, size=[9, 10], antialias=True)


@reference("Resize")
def _(images, params):
    return tv.resize(images, [9, 10], antialias=True)


@reference("RandomTranslate")
def _(images, params):
    shift = torch.stack([params["translate_x"], params["translate_y"]], -1)
    return geometry.translate(images, shift, align_corners=True)


@reference("RandomShear")
def _(images, params):
    height, width = images.shape[-2:]
    centre = images.new_tensor([[(width - 1) / 2, (height - 1) / 2]]).expand(len(images), 2)
    angles = (torch.deg2rad(params[name]) for name in ("shear_x", "shear_y"))
    matrix = geometry.get_shear_matrix2d(centre, *angles)
    return geometry.warp_affine(images, matrix[:, :2], (height, width), align_corners=True)


@reference("Pad")
def _(images, params):
    return torch.nn.functional.pad(images, (1, 3, 2, 4))


@reference("PadTo")
def _(images, params):
    return torch.nn.functional.pad(images, (0, 41 - images.shape[-1], 0, 40 - images.shape[-2]))


@reference("LongestMaxSize")
def _(images, params):
    return tv.resize(images, None, max_size=20, antialias=True)


@reference("SmallestMaxSize")
def _(images, params):
    return tv.resize(images, [20], antialias=True)


@reference("RandomElasticTransform", example={"sigma": (3.0, 2.0), "alpha": (1.0, 0.8)})
def _(images, params):
    noise = uniform_field(params["key"], (2, *images.shape[-2:])).to(images.dtype) * 2 - 1
    return geometry.elastic_transform2d(images, noise, (9, 7), (3.0, 2.0), (1.0, 0.8))


@reference("RandomThinPlateSpline")
@per_image
def _(image, row):
    """Compute scipy's thin-plate spline through the same five displacements."""
    _, height, width = image.shape
    y, x = np.mgrid[:height, :width]
    points = np.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1).reshape(-1, 2)
    controls = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1], [0, 0]])
    spline = RBFInterpolator(controls, np.array(row["points"]), kernel="thin_plate_spline", degree=1)
    grid = torch.from_numpy(points + spline(points)).view(1, height, width, 2)
    return F.grid_sample(image[None], grid, align_corners=False)[0]


@reference("OpticalDistortion")
@per_image
def _(image, row):
    """Project the undistorted pixels with OpenCV's camera."""
    _, height, width = image.shape
    camera = np.array([[width, 0, (width - 1) / 2], [0, height, (height - 1) / 2], [0, 0, 1.0]])
    return torch.from_numpy(seen_through(image.numpy(), camera, [row["distort_limit"]] * 2, "constant"))


@reference("RandomFisheye")
def _(images, params):
    mesh = create_meshgrid(*images.shape[-2:], dtype=images.dtype)
    x, y = mesh[..., 0], mesh[..., 1]
    cx, cy, gamma = (params[name][:, None, None] for name in ("center_x", "center_y", "gamma"))
    power = torch.hypot(cx - x, cy - y) ** gamma
    return geometry.remap(images, x + x * power, y + y * power, normalized_coordinates=True, align_corners=True)


@reference("RandomGridDistortion")
@per_image
def _(image, row):
    """Compute numpy's piecewise linear interpolation between the edges of the cells."""
    _, height, width = image.shape
    edges = [np.concatenate([[0], np.cumsum(row[name])]) for name in ("columns", "rows")]
    at = [
        np.interp((np.arange(n) + 0.5) / n, np.linspace(0, 1, 5), e)
        for n, e in zip((width, height), edges, strict=True)
    ]
    grid = np.stack(np.meshgrid(*(2 * a - 1 for a in at)), -1)
    return F.grid_sample(image[None], torch.from_numpy(grid)[None], padding_mode="border", align_corners=False)[0]


@reference("RandomKeepRatioCrop")
@per_image
def _(image, row):
    """timm's resize, and its crop or reflecting pad."""
    height, width, top, left = (int(row[name]) for name in ("height", "width", "top", "left"))
    resized = tv.resize(image, [height, width], antialias=True)
    before = [max(-left, 0), max(-top, 0), max(left + 10 - width, 0), max(top + 9 - height, 0)]
    padded = tv.pad(resized, before, padding_mode="reflect")
    return tv.crop(padded, max(top, 0), max(left, 0), 9, 10)
