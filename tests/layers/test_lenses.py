"""Lenses, shadows, flares and drops, beside albumentations where the two can be given the same draws."""

import albumentations.augmentations.pixel.functional as theirs
import cv2
import numpy as np
import pytest
import torch

import augment as A

INDEX = torch.arange(8)


def board(height: int, width: int) -> torch.Tensor:
    """Return (1, 3, height, width) smooth colours."""
    y, x = torch.meshgrid(torch.linspace(0, 9, height), torch.linspace(0, 7, width), indexing="ij")
    return torch.stack([torch.sin(x + y), torch.cos(x * y / 7), torch.sin(x - 2 * y)])[None] * 0.4 + 0.5


@pytest.mark.parametrize("mode", ["camera", "fisheye"])
def test_a_barrel_shows_more_and_a_pincushion_less(mode):
    points = torch.tensor([[[12.0, 9.0], [31.5, 23.5], [48.0, 36.0]]])
    centre = torch.tensor([31.5, 23.5])
    for k, sign in ((0.5, -1), (-0.4, 1)):
        layer = A.OpticalDistortion(A.Constant(k), mode, p=1.0)
        out = layer(A.Batch(board(48, 64), keypoints=points))
        moved = (out.keypoints - centre).norm(dim=-1) - (points - centre).norm(dim=-1)
        assert (moved[0, [0, 2]] * sign > 0.5).all()
        assert out.keypoints_visible.all()
        assert abs(moved[0, 1]) < 1e-3
    with pytest.raises(ValueError, match="mode='fish' must be one of camera, fisheye"):
        A.OpticalDistortion(mode="fish")


def test_a_fisheye_stretches_by_the_square_of_the_distance():
    height, width, k = 41, 61, 0.3
    layer = A.OpticalDistortion(A.Constant(k), "fisheye", p=1.0)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    u, v = x - 30, y - 20
    stretch = 1 + k * (u**2 + v**2) / ((61**2 + 41**2) / 4)
    image = board(height, width)
    expected = cv2.remap(image[0].permute(1, 2, 0).numpy(), 30 + u * stretch, 20 + v * stretch, cv2.INTER_LINEAR)
    inside = (30 + u * stretch >= 0) & (30 + u * stretch <= 60) & (20 + v * stretch >= 0) & (20 + v * stretch <= 40)
    difference = np.abs(layer(image)[0].permute(1, 2, 0).numpy() - expected)[inside]
    assert inside.mean() > 0.5
    assert difference.max() < 0.02  # OpenCV interpolates in steps of 1/32 pixel


@pytest.mark.parametrize(("mode", "signs"), [("green_purple", {1}), ("red_blue", {-1}), ("random", {-1, 1})])
def test_the_colours_part_as_the_mode_says(mode, signs):
    layer = A.ChromaticAberration(0.3, 0.3, mode=mode, p=1.0)
    params = layer.resolve(layer.params(layer.noise(torch.arange(64))), (48, 64))
    first, second = params["primary_distortion_limit"].sign(), params["secondary_distortion_limit"].sign()
    assert torch.equal(first, second)
    assert set(first.prod(1).int().tolist()) == signs
    assert set(first[:, 0].int().tolist()) == {-1, 1}


def test_shadows_darken_one_after_another_within_their_part_of_the_image():
    layer = A.RandomShadow((0.5, 0.25, 1.0, 0.75), (0, 3), 4, 0.5, p=1.0)
    out = layer(torch.ones(64, 1, 40, 40), index=torch.arange(64))
    assert set(out.unique().tolist()) == {1.0, 0.5, 0.25, 0.125}
    assert (out[:, :, :10] == 1).all()
    assert (out[:, :, 30:] == 1).all()
    assert (out[..., :20] == 1).all()
    assert (out < 1).any(0)[0, 10:30, 20:].float().mean() > 0.8
    assert abs((out == 1).all((1, 2, 3)).float().mean() - 0.25) < 0.2
    for wrong in ((0, 0, 1), (0.5, 0, 0.4, 1), (0, 0, 1, 2)):
        with pytest.raises(ValueError, match="RandomShadow: shadow_roi"):
            A.RandomShadow(wrong)


def test_a_flare_is_that_of_albumentations():
    size, layer = (96, 128), A.RandomSunFlare(src_radius=60, src_color=(1.0, 0.9, 0.8), p=1.0)
    image = board(*size)
    noise = layer.noise(INDEX)
    out = layer(image.expand(8, -1, -1, -1), noise)
    rows = layer.resolve(layer.params(noise), size)
    for i in range(8):
        row = {name: value[i] for name, value in rows.items()}
        circles = [
            (float(a), (round(float(x)), round(float(y))), int(r), tuple(round(255 * float(c)) for c in colour))
            for a, x, y, r, colour in zip(
                *(row[f"circle_{name}"] for name in ("alpha", "x", "y", "radius", "color")), strict=True
            )
            if r > 0
        ]
        assert 6 <= len(circles) <= 10
        pixels = (image[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        centre = (round(float(row["x"])), round(float(row["y"])))
        expected = theirs.add_sun_flare_overlay(pixels, centre, 60, (255, 230, 204), circles) / 255
        difference = np.abs(out[i].permute(1, 2, 0).numpy() - expected)
        changed = np.abs(expected - pixels / 255).mean()
        assert difference.mean() < 0.01 + 0.1 * changed  # centres and radii are rounded there
    one = layer(image[:, :1].expand(8, -1, -1, -1), noise)
    assert (one - image[:, :1]).abs().amax((1, 2, 3)).min() > 0.05


@pytest.mark.parametrize(("mode", "colour"), [("rain", (175, 238, 238)), ("mud", (63, 42, 20))])
def test_drops_have_their_colour(mode, colour):
    black = torch.zeros(8, 3, 64, 64)
    layer = A.Spatter(intensity=1.0, mode=mode, gauss_sigma=2.0, p=1.0)
    out = layer(black, index=INDEX)
    share = out / (torch.tensor(colour) / 255)[:, None, None]
    torch.testing.assert_close(share[:, 0], share[:, 1])
    torch.testing.assert_close(share[:, 0], share[:, 2])
    wet = (share[:, 0] > 0).float().mean()
    assert 0.02 < wet < 0.5
    assert share.max() == pytest.approx(1.0, abs=1e-5)
    if mode == "mud":
        assert share[share > 0].min() >= 0.8
        white = layer(torch.ones_like(black), index=INDEX)
        torch.testing.assert_close(white - out, 1 - share, rtol=0, atol=1e-5)  # mud hides what is behind
    green = A.Spatter(intensity=1.0, mode=mode, color=(0.0, 1.0, 0.0), p=1.0)(black, index=INDEX)
    assert not green[:, [0, 2]].any()


def test_no_drop_and_one_drop_everywhere_change_evenly():
    images = torch.rand(4, 3, 40, 40) * 0.3
    for mode in ("rain", "mud"):
        assert torch.equal(A.Spatter(cutout_threshold=1.0, mean=0.0, std=0.1, mode=mode, p=1.0)(images), images)
    flood = A.Spatter(cutout_threshold=0.0, mean=1.0, std=0.0, intensity=0.5, p=1.0)(images)
    torch.testing.assert_close(flood - images, (torch.tensor([175, 238, 238]) / 510)[:, None, None].expand_as(images))


@pytest.mark.parametrize("size", [(6, 6), (6, 9), (9, 6), (7, 9)])
def test_symmetries_keep_the_middle_and_take_boxes_with_them(size):
    images = torch.rand(1, 3, *size)
    batch = A.Batch(images.expand(64, -1, -1, -1), boxes=torch.tensor([[[1.0, 2, 3, 5]]]).expand(64, -1, -1))
    out = A.D4()(batch, A.D4().noise(torch.arange(64)))
    distinct = {image.numpy().tobytes() for image in out.image.contiguous()}
    assert len(distinct) == 8
    if size[0] == size[1]:
        known = {tuple(np.sort(image.flatten().numpy())) for image in out.image}
        assert len(known) == 1  # each is the image, in another order
        sides = {tuple(box.tolist()) for box in out.boxes[:, 0]}
        assert len(sides) == 8
        assert (out.boxes_visible == 1).all()
    turned = A.Transpose(p=1.0)(A.Batch(images, mask=(images[:, 0] * 9).int()))
    assert torch.equal(turned.mask, (turned.image[:, 0] * 9).int())


def test_nearest_downscaling_copies_as_torch_does():
    images = torch.rand(3, 2, 17, 23)
    for scale, small in ((0.5, (8, 12)), (0.3, (5, 7)), (0.001, (1, 1))):
        for down, up in (("nearest", "nearest"), ("bilinear", "bilinear"), ("nearest", "bilinear")):
            expected = torch.nn.functional.interpolate(images, small, mode=down)
            expected = torch.nn.functional.interpolate(expected, (17, 23), mode=up)
            out = A.Downscale(scale, down, up, p=1.0)(images)
            torch.testing.assert_close(out, expected, rtol=0, atol=1e-5)
