"""Boxes in every format: all say the same, come out as they went in, and rotated boxes turn with the image."""

import pytest
import torch
from torchvision.ops import box_convert

import augment as A
from augment.data.box_formats import COLUMNS

SIZE = (48, 64)
XYXY = torch.tensor([[[10.0, 8, 30, 28], [20, 30, 60, 40]], [[0, 0, 16, 12], [33, 5, 48, 45]]])
ROTATED = torch.tensor([[[30.0, 20, 16, 8, 30], [40, 24, 10, 20, -75]], [[20, 30, 12, 6, 160], [32, 24, 8, 8, 0]]])
UPRIGHT = [name for name, columns in COLUMNS.items() if columns == 4]


def batch(boxes: torch.Tensor, box_format: str, **changes: object) -> A.Batch:
    return A.Batch(torch.rand(2, 3, *SIZE), boxes=boxes, box_format=box_format, **changes)


@pytest.mark.parametrize("name", COLUMNS)
def test_conversion_there_and_back(name):
    given = batch(ROTATED if name in ("cxcywhr", "xyxyxyxy") else XYXY, "cxcywhr" if "r" in name else "xyxy")
    given = batch(ROTATED, "cxcywhr") if name == "xyxyxyxy" else given
    there = given.with_box_format(name)
    assert there.boxes.shape == (2, 2, COLUMNS[name])
    back = there.with_box_format(given.box_format)
    torch.testing.assert_close(back.boxes, given.boxes, rtol=1e-5, atol=1e-4)


def test_formats_mean_what_torchvision_means():
    for name in ("xywh", "cxcywh"):
        assert torch.equal(batch(XYXY, "xyxy").with_box_format(name).boxes, box_convert(XYXY, "xyxy", name))
    corners = batch(ROTATED, "cxcywhr").with_box_format("xyxyxyxy").boxes
    expected = box_convert(ROTATED.flatten(0, 1), "cxcywhr", "xyxyxyxy").view(2, 2, 8)
    torch.testing.assert_close(corners, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", UPRIGHT)
def test_upright_formats_give_the_same(name):
    layer = A.Pipeline(A.RandomResizedCrop((40, 50), scale=(0.5, 1.0)), A.RandomRotation(20.0, p=1.0))
    noise = layer.noise(torch.arange(2))
    given = batch(XYXY, "xyxy")
    out = layer(given.with_box_format(name), noise)
    assert out.box_format == name
    expected = layer(given, noise)
    torch.testing.assert_close(out.with_box_format("xyxy").boxes, expected.boxes, rtol=0, atol=1e-3)
    torch.testing.assert_close(out.boxes_visible, expected.boxes_visible, rtol=0, atol=1e-3)


def test_fractions_of_packed_images_are_of_each_image():
    images = A.PackedImages.from_images([torch.zeros(3, *size, dtype=torch.uint8) for size in ((20, 40), (50, 10))])
    boxes = torch.tensor([[[0.25, 0.5, 0.5, 1.0]]]).expand(2, -1, -1)
    out = A.Resize((100, 80))(A.Batch(images, boxes=boxes, box_format="xyxyn"))
    torch.testing.assert_close(out.boxes, boxes)
    assert A.Resize((100, 80))(A.Batch(images, boxes=boxes * 10)).boxes[1, 0].tolist() == [20, 10, 40, 20]


@pytest.mark.parametrize("turn", [0.0, 25.0, -140.0])
def test_rotated_boxes_turn_with_the_image(turn):
    layer = A.Pipeline(
        A.RandomRotation((turn, turn), p=1.0),
        A.RandomAffine(0.0, (0.1, 0.1), (0.8, 0.8), p=1.0),  # counter-clockwise
    )
    noise = layer.noise(torch.arange(2))
    out = layer(batch(ROTATED, "cxcywhr"), noise).boxes
    points = layer(A.Batch(torch.rand(2, 3, *SIZE), keypoints=ROTATED[..., :2] - 0.5), noise).keypoints + 0.5
    torch.testing.assert_close(out[..., :2], points, rtol=0, atol=1e-3)
    torch.testing.assert_close(out[..., 2:4], ROTATED[..., 2:4] * 0.8, rtol=0, atol=1e-3)
    difference = (out[..., 4] - ROTATED[..., 4] - turn + 180) % 360 - 180
    assert difference.abs().max() < 1e-3


def test_the_angle_of_a_rotated_box_is_mirrored():
    flipped = A.RandomHorizontalFlip(p=1.0)(batch(ROTATED, "cxcywhr")).boxes
    expected = torch.tensor(
        [[[34.0, 20, 16, 8, 150], [24, 24, 10, 20, -105]], [[44, 30, 12, 6, 20], [32, 24, 8, 8, 180]]]
    )
    torch.testing.assert_close(flipped, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    "layer",
    [A.RandomPerspective(0.4, p=1.0), A.RandomShear((20.0, 30.0), p=1.0), A.Resize((90, 40))],
    ids=lambda layer: type(layer).__name__,
)
def test_other_warps_give_a_rectangle_around_the_four_corners(layer):
    noise = layer.noise(torch.arange(2))
    given = batch(ROTATED, "cxcywhr")
    corners = layer(given.with_box_format("xyxyxyxy"), noise).boxes.unflatten(2, (4, 2))
    out = layer(given, noise).boxes
    angle = torch.deg2rad(out[..., 4])
    along, down = torch.stack([angle.cos(), -angle.sin()], -1), torch.stack([angle.sin(), angle.cos()], -1)
    apart = corners - out[..., None, :2]
    for direction, side in ((along, out[..., 2]), (down, out[..., 3])):
        reach = (apart * direction[..., None, :]).sum(-1)
        torch.testing.assert_close(reach.amax(-1), side / 2, rtol=0, atol=1e-3)
        torch.testing.assert_close(reach.amin(-1), -side / 2, rtol=0, atol=1e-3)
    top = corners[..., 1, :] - corners[..., 0, :]
    torch.testing.assert_close(top / top.norm(dim=-1, keepdim=True), along, rtol=0, atol=1e-4)


def test_the_share_of_a_rotated_box_is_its_area_in_the_frame():
    """Counted on a grid of 20 points per pixel; the boxes reach over every side and corner, or over none."""
    centre = torch.tensor([[8.0, 8], [0, 5], [16, 14], [20, 8], [3, 15], [8, -3], [8, 8]])
    rest = torch.tensor([[6.0, 4, 20], [9, 5, 45], [12, 3, -30], [3, 3, 10], [9, 9, 80], [5, 4, 0], [40, 30, 33]])
    boxes = torch.cat([centre, rest], 1)[None]
    out = A.CenterCrop(16)(A.Batch(torch.rand(1, 3, 16, 16), boxes=boxes, box_format="cxcywhr"))
    y, x = torch.meshgrid(*[(torch.arange(20 * 80) + 0.5) / 20 - 32] * 2, indexing="ij")
    for (cx, cy, width, height, degrees), share in zip(boxes[0], out.boxes_visible[0], strict=True):
        cos, sin = torch.cos(torch.deg2rad(degrees)), torch.sin(torch.deg2rad(degrees))
        u, v = (x - cx) * cos - (y - cy) * sin, (x - cx) * sin + (y - cy) * cos
        within = (u.abs() < width / 2) & (v.abs() < height / 2)
        shown = within & (x > 0) & (x < 16) & (y > 0) & (y < 16)
        assert abs(float(shown.sum() / within.sum()) - float(share)) < 0.01
    assert torch.equal(out.boxes[..., :4].round(decimals=3), boxes[..., :4]), "they stay whole"


def test_a_rotated_box_that_a_crop_cut_off_stays_cut_off():
    boxes = torch.tensor([[[2.0, 2, 3, 3, 20], [12, 16, 30, 4, 90]]])
    layer = A.Pipeline(A.CenterCrop((16, 24)), A.Pad((8, 8, 8, 8)))
    out = layer(A.Batch(torch.rand(1, 3, 32, 40), boxes=boxes, box_format="cxcywhr"))
    assert out.boxes_visible[0, 0] == 0
    assert 0.4 < out.boxes_visible[0, 1] < 0.6


def test_rotated_boxes_without_sides_are_not_visible():
    boxes = torch.tensor([[[10.0, 10, 0, 0, 0], [10, 10, -4, -4, 0], [10, 10, 4, -4, 30], [0, 0, 0, 0, 0]]])
    out = A.RandomHorizontalFlip(p=1.0)(A.Batch(torch.rand(1, 3, 20, 20), boxes=boxes, box_format="cxcywhr"))
    assert not out.boxes_visible.any()
    assert torch.isfinite(out.boxes).all()


@pytest.mark.parametrize(
    "layer", [A.RandomCutMix(), A.ResizeMix(), A.RandomMosaic(p=1.0)], ids=lambda layer: type(layer).__name__
)
def test_mixes_move_rotated_boxes_as_upright_ones(layer):
    """A box without rotation has the same visible share, and where it is not clipped the same position."""
    given = batch(XYXY, "xyxy", label=torch.eye(2))
    noise = layer.noise(torch.arange(2))
    upright, rotated = layer(given, noise), layer(given.with_box_format("cxcywhr"), noise)
    torch.testing.assert_close(rotated.boxes_visible, upright.boxes_visible, rtol=0, atol=1e-4)
    whole = upright.boxes_visible > 0.999
    assert whole.any()
    torch.testing.assert_close(rotated.with_box_format("xyxy").boxes[whole], upright.boxes[whole], rtol=0, atol=1e-3)


def test_what_does_not_fit_is_refused():
    flip = A.RandomHorizontalFlip()
    with pytest.raises(ValueError, match=r"box_format='yolo' must be one of xyxy, .*cxcywhr"):
        flip(batch(XYXY, "yolo"))
    with pytest.raises(ValueError, match=r"boxes must be \(B, N, 5\) for .* got \(2, 2, 4\)"):
        flip(batch(XYXY, "cxcywhr"))
    with pytest.raises(ValueError, match="RandomJigsaw cuts boxes into pieces"):
        A.RandomJigsaw(p=1.0)(batch(ROTATED, "cxcywhr"))


def test_the_inverse_brings_rotated_boxes_back():
    layer = A.Pipeline(A.RandomHorizontalFlip(p=1.0), A.RandomRotation(20.0, p=1.0))
    given, noise = batch(ROTATED, "cxcywhr"), layer.noise(torch.arange(2))
    back = layer.inverse(layer(given, noise), noise, size=SIZE)
    torch.testing.assert_close(back.boxes[..., :4], ROTATED[..., :4], rtol=0, atol=1e-3)
    assert ((back.boxes[..., 4] - ROTATED[..., 4] + 180) % 360 - 180).abs().max() < 1e-3
