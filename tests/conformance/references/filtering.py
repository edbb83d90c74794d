"""References of image operators: Kornia, torchvision if the two differ, and scipy."""

import cv2
import kornia.augmentation as augmentation
import kornia.enhance as enhance
import kornia.filters as filters
import numpy as np
import scipy
import torch
import torchvision.transforms.v2.functional as tv
from PIL import Image

from augment.draws.distributions import Choice
from augment.draws.noise import normal_field, uniform_field
from augment.layers.filtering.jpeg import quantization
from augment.layers.filtering.motion import line_kernel
from tests.conformance.references.geometric import seen_through
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


@reference("UnsharpMask")
@per_image
def _(image, row):
    """Blend with Kornia's function, pixel by pixel where the difference is large, as albumentations does."""
    sigma = (row["sigma"], row["sigma"])
    detail = filters.unsharp_mask(image[None], 7, sigma) - image
    large = filters.gaussian_blur2d((detail.abs() > 10 / 255).to(image.dtype), 7, sigma)
    return torch.lerp(image, (image + row["alpha"] * detail).clamp(0, 1), large)[0]


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


@reference("RandomDefocus")
@per_image
def _(image, row):
    """Compute scipy's convolution with a disk that scipy has smoothed."""
    y, x = np.mgrid[-7:8, -7:8]
    disk = (x**2 + y**2 <= row["radius"] ** 2).astype(float)
    kernel = scipy.ndimage.gaussian_filter(disk / disk.sum(), row["alias_blur"], radius=2, mode="constant")
    return torch.from_numpy(scipy.ndimage.convolve(image.numpy(), kernel[None], mode="mirror"))


@reference("RandomGlassBlur", example={"iterations": 2})
@per_image
def _(image, row):
    """Visit one pixel after another, as the published code does."""
    blur = {"sigma": (0, row["sigma"], row["sigma"]), "radius": (0, 4, 4), "mode": "nearest"}
    image = scipy.ndimage.gaussian_filter(image.numpy(), **blur)
    height, width = image.shape[1:]
    for uniforms in uniform_field(torch.tensor([row["key"]]), (2, 2, height, width))[0].numpy():
        step = np.floor(uniforms * 4).astype(int) - 2
        for y in range(height - 2, 2, -1):
            for x in range(width - 2, 2, -1):
                image[:, y, x] = image[:, y + step[0, y, x], x + step[1, y, x]]
    return torch.from_numpy(scipy.ndimage.gaussian_filter(image, **blur))


@reference("RandomZoomBlur")
@per_image
def _(image, row):
    (height, width), total = image.shape[1:], 2 * image.numpy()
    for factor in np.linspace(1, row["max_factor"], 4)[1:]:
        centre = np.array([0, (height - 1) / 2, (width - 1) / 2])
        matrix = np.array([1, 1 / factor, 1 / factor])
        total = total + scipy.ndimage.affine_transform(image.numpy(), matrix, centre - matrix * centre, order=1)
    return torch.from_numpy(total / 5)


@reference("RandomPixelate", tolerance=1e-6, example={"scale": Choice([0.27, 0.52])})  # Pillow computes in float32
@per_image
def _(image, row):
    """Shrink and enlarge with Pillow's filters; at these scales no pixel lies on the edge of a cell."""
    height, width = image.shape[1:]
    small = int(width * row["scale"]), int(height * row["scale"])
    planes = [Image.fromarray(plane.numpy().astype(np.float32)) for plane in image]
    coarse = [plane.resize(small, Image.Resampling.BOX).resize((width, height), 0) for plane in planes]
    return torch.from_numpy(np.stack(coarse)).double()


@reference("Downscale", tolerance=1e-6)  # OpenCV's weights are float32
@per_image
def _(image, row):
    (height, width), pixels = image.shape[1:], image.permute(1, 2, 0).numpy()
    small = cv2.resize(pixels, (int(row["width"]), int(row["height"])), interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return torch.from_numpy(large).permute(2, 0, 1)


@reference("ChromaticAberration")
@per_image
def _(image, row):
    _, height, width = image.shape
    camera = np.array([[width, 0, (width - 1) / 2], [0, height, (height - 1) / 2], [0, 0, 1.0]])
    out = image.numpy().copy()
    for channel, which in ((0, 0), (2, 1)):
        lens = [row[f"{name}_distortion_limit"][which] for name in ("primary", "secondary")]
        out[channel] = seen_through(out[channel : channel + 1], camera, lens, "nearest")[0]
    return torch.from_numpy(out)


@reference("Spatter")
@per_image
def _(image, row):
    """Compute the published steps with scipy's and OpenCV's filters; the outlines are not Canny's."""
    noise = normal_field(torch.tensor([row["key"]]), (1, *image.shape[1:]))[0, 0].double().numpy()
    blur = {"radius": 8, "mode": "nearest"}
    liquid = scipy.ndimage.gaussian_filter(row["mean"] + row["std"] * noise, row["gauss_sigma"], **blur)
    drop = liquid >= row["cutout_threshold"]
    outline = drop & ~scipy.ndimage.binary_erosion(drop, border_value=1)
    distance = scipy.ndimage.distance_transform_edt(~outline) if outline.any() else np.full(drop.shape, 99.0)
    smooth = scipy.ndimage.uniform_filter(distance.clip(0, 20), 3, mode="mirror") + 1e-9
    level = cv2.equalizeHist(smooth.astype(np.uint8))
    level = cv2.filter2D(level, cv2.CV_8U, np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]))
    water = np.where(drop, liquid, 0) * scipy.ndimage.uniform_filter(level.astype(float), 3, mode="mirror")
    if water.max() > 0:
        water = water / water.max()
    colour = np.array([175, 238, 238])[:, None, None] / 255
    return torch.from_numpy(np.clip(image.numpy() + row["intensity"] * water * colour, 0, 1))


@reference("RandomSnowfall")
@per_image
def _(image, row):
    """Compute the equations of the published code with scipy's filters; test_filtering.py compares the line kernel."""
    _, height, width = image.shape
    noise = normal_field(torch.tensor([row["key"]]), (1, height, width))[0, 0].double().numpy()
    places = np.mgrid[:height, :width] / row["flake_size"]
    smooth = row["density"] + row["spread"] * scipy.ndimage.map_coordinates(noise, places, order=1, mode="nearest")
    flakes = np.where(smooth < row["threshold"], 0, smooth.clip(0, 1))
    line = [torch.tensor([value], dtype=torch.float64) for value in (row["length"], row["angle"], 1.0)]
    snow = scipy.ndimage.correlate(flakes, line_kernel(7, *line, bilinear=True)[0].numpy(), mode="nearest")
    bright = np.maximum(image.numpy(), np.tensordot([0.299, 0.587, 0.114], image.numpy(), 1) * 1.5 + 0.5)
    scene = (1 - row["whitening"]) * image.numpy() + row["whitening"] * bright
    return torch.from_numpy(np.clip(scene + snow + snow[::-1, ::-1], 0, 1))
