"""References of image operators: Kornia, torchvision if the two differ, and scipy."""

import kornia.augmentation as augmentation
import kornia.enhance as enhance
import kornia.filters as filters
import numpy as np
import scipy
import torch
import torchvision.transforms.v2.functional as tv

from augment.draws.noise import uniform_field
from augment.layers.filtering.jpeg import quantization
from tests.conformance.references.register import per_image, reference


@reference("RandomGaussianBlur", example={"kernel_size": (3, 7)})
def _(images, params):
    return filters.gaussian_blur2d(images, (3, 7), params["sigma"][:, None].expand(-1, 2))


@reference("RandomBoxBlur")
def _(images, params):
    return filters.box_blur(images, (3, 3))


@reference("RandomMedianBlur")
def _(images, params):
    return torch.from_numpy(scipy.ndimage.median_filter(images.numpy(), (1, 1, 3, 3), mode="mirror"))


@reference("RandomMotionBlur", example={"kernel_size": (3, 9), "resample": "nearest"})
@per_image
def _(image, row):
    angle, direction = (torch.tensor([row[name]], dtype=image.dtype) for name in ("angle", "direction"))
    return filters.motion_blur(image[None], int(row["kernel_size"]), angle, direction, "constant")[0]


@reference("RandomSharpness")
@per_image
def _(image, row):
    return tv.adjust_sharpness(image, row["sharpness"])


@reference("RandomEqualize")
def _(images, params):
    return tv.equalize((images * 255).round().to(torch.uint8)).double() / 255


@reference("RandomAutoContrast")
def _(images, params):
    return tv.autocontrast(images)


@reference("RandomClahe")
@per_image
def _(image, row):
    level = image + 1e-9  # Kornia truncates to a level, and 8-bit levels may be a rounding error below it
    return enhance.equalize_clahe(level, row["clip_limit"], (4, 4))


@reference("RandomJPEG")
@per_image
def _(image, row):
    """Compute the codec's equations in numpy, with scipy's transform; another test compares tables with Pillow."""
    height, width = image.shape[1:]
    level = np.pad(image.numpy() * 255, ((0, 0), (0, -height % 16), (0, -width % 16)), mode="edge")
    to_ycc = np.array([[0.299, 0.587, 0.114], [0, 0, 0], [0, 0, 0]])
    to_ycc[1] = (np.array([0, 0, 1]) - to_ycc[0]) / 1.772
    to_ycc[2] = (np.array([1, 0, 0]) - to_ycc[0]) / 1.402
    y, cb, cr = np.einsum("ij,jhw->ihw", to_ycc, level)
    tables = quantization(torch.tensor([row["jpeg_quality"]]))[0].numpy()
    planes = [coded(y - 128, tables[0]) + 128]
    for plane in (cb, cr):
        small = plane.reshape(plane.shape[0] // 2, 2, plane.shape[1] // 2, 2).mean((1, 3))
        small = coded(small, tables[1])[: -(-height // 2), : -(-width // 2)]
        rows, columns = ((np.arange(2 * n) - 0.5) / 2 for n in small.shape)
        where = np.meshgrid(rows, columns, indexing="ij")
        planes.append(scipy.ndimage.map_coordinates(small, where, order=1, mode="nearest"))
    ycc = np.stack([plane[:height, :width] for plane in planes])
    rgb = np.einsum("ij,jhw->ihw", np.linalg.inv(to_ycc), ycc)
    return torch.from_numpy(rgb / 255).clamp(0, 1)


def coded(plane, table):
    out = np.empty_like(plane)
    for y in range(0, plane.shape[0], 8):
        for x in range(0, plane.shape[1], 8):
            block = np.s_[y : y + 8, x : x + 8]
            steps = scipy.fft.dctn(plane[block], norm="ortho") / table
            rounded = np.trunc(steps + np.copysign(0.501, steps))  # ties away from 0, with a margin for rounding errors
            out[block] = scipy.fft.idctn(rounded * table, norm="ortho")
    return out


@reference("RandomRain")
def _(images, params):
    layer = augmentation.RandomRain(p=1.0)
    drawn = {
        "number_of_drops_factor": params["number_of_drops"].long(),
        "drop_height_factor": params["drop_height"].long(),
        "drop_width_factor": params["drop_width"].long(),
        "coordinates_factor": uniform_field(params["key"], (40, 2)),
    }
    return layer.apply_transform(images, drawn, {})


@reference("RandomSnow", tolerance=1e-7)  # Kornia adds 1e-8 to its divisors
def _(images, params):
    return augmentation.RandomSnow(p=1.0).apply_transform(images, params, {})
