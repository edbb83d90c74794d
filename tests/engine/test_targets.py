"""Masks, boxes and keypoints follow the image, pinned on synthetic scenes: draw, augment, find again, compare."""

import pytest
import torch

import augment as A
from tests.conformance.catalogue import WARPS

SIZE = (64, 72)
WARPED = {
    "RandomHorizontalFlip": lambda: A.RandomHorizontalFlip(p=0.5),
    "RandomVerticalFlip": lambda: A.RandomVerticalFlip(p=0.5),
    "RandomRotation90": lambda: A.RandomRotation90((0, 3), p=1.0),
    "D4": lambda: A.D4(p=1.0),
    "Transpose": lambda: A.Transpose(p=1.0),
    "OpticalDistortion": lambda: A.OpticalDistortion((-0.2, 0.2), p=1.0),
    "RandomRotation": lambda: A.RandomRotation(25, p=1.0),
    "RandomAffine": lambda: A.RandomAffine(20, (0.1, 0.1), (0.8, 1.2), (-8.0, 8.0, -5.0, 5.0), p=1.0),
    "RandomTranslate": lambda: A.RandomTranslate(0.15, 0.1, p=1.0),
    "RandomShear": lambda: A.RandomShear((-15.0, 15.0, -10.0, 10.0), p=1.0),
    "RandomPerspective": lambda: A.RandomPerspective(0.3, p=1.0),
    "RandomCrop": lambda: A.RandomCrop((58, 66), padding=4),
    "RandomResizedCrop": lambda: A.RandomResizedCrop((60, 60), scale=(0.85, 1.0), ratio=(1.0, 1.2)),
    "RandomKeepRatioCrop": lambda: A.RandomKeepRatioCrop((60, 60)),
    "Resize": lambda: A.Resize((90, 80)),
    "LongestMaxSize": lambda: A.LongestMaxSize(90),
    "SmallestMaxSize": lambda: A.SmallestMaxSize(90),
    "CenterCrop": lambda: A.CenterCrop((56, 60)),
    "Pad": lambda: A.Pad((3, 5, 8, 2)),
    "PadTo": lambda: A.PadTo((80, 90)),
    "RandomElasticTransform": lambda: A.RandomElasticTransform(31, (6.0, 6.0), (1.0, 1.0), p=1.0),
    "RandomThinPlateSpline": lambda: A.RandomThinPlateSpline(0.15, p=1.0),
    "RandomFisheye": lambda: A.RandomFisheye((-0.1, 0.1), (-0.1, 0.1), (1.5, 2.5), p=1.0),
    "RandomGridDistortion": lambda: A.RandomGridDistortion(4, 0.3, p=1.0),
    "a run": lambda: A.Pipeline(
        A.RandomResizedCrop((60, 64), scale=(0.85, 1.0), ratio=(1.0, 1.2)),
        A.RandomHorizontalFlip(),
        A.RandomRotation(10, p=1.0),
        A.RandomPerspective(0.1, p=1.0),
    ),
    "a run with a dense warp inside": lambda: A.Pipeline(
        A.RandomRotation(15, p=1.0), A.RandomElasticTransform(31, (6.0, 6.0), (1.0, 1.0)), A.Resize((80, 70))
    ),
    "two runs": lambda: A.Pipeline(A.RandomRotation(15, p=1.0), A.ColorJitter(0.1), A.RandomThinPlateSpline(0.1)),
}
SEPARATE = ("two runs",)  # each run puts an upright box around the last one's, and rounds masks to whole pixels
BOX = (22.0, 24.0, 46.0, 42.0)  # x1 y1 x2 y2
PER_SIDE = 4


def test_every_warp_is_tried():
    assert set(WARPS) <= set(WARPED)


def outline() -> torch.Tensor:
    """(12, 2) points x, y on the sides of the box, as pixel coordinates (edges are half a pixel off centres)."""
    x1, y1, x2, y2 = (edge - 0.5 for edge in BOX)
    t = torch.linspace(0, 1, PER_SIDE)
    x, y = x1 + (x2 - x1) * t, y1 + (y2 - y1) * t
    sides = [
        torch.stack([x, torch.full_like(x, y1)], -1),
        torch.stack([x, torch.full_like(x, y2)], -1),
        torch.stack([torch.full_like(y, x1), y], -1)[1:-1],
        torch.stack([torch.full_like(y, x2), y], -1)[1:-1],
    ]
    return torch.cat(sides)


def scene(batch: int = 16) -> A.Batch:
    """One soft dot a channel on the outline of the box; the dots are the keypoints, the box's inside is the mask."""
    points = outline()
    y, x = torch.meshgrid(torch.arange(float(SIZE[0])), torch.arange(float(SIZE[1])), indexing="ij")
    squared = (x - points[:, 0, None, None]) ** 2 + (y - points[:, 1, None, None]) ** 2
    dots = torch.exp(-squared / (2 * 1.5**2))
    x1, y1, x2, y2 = BOX
    mask = (x + 0.5 > x1) & (x + 0.5 < x2) & (y + 0.5 > y1) & (y + 0.5 < y2)
    return A.Batch(
        image=dots.expand(batch, -1, -1, -1).clone(),
        mask=mask.long().expand(batch, -1, -1).clone(),
        boxes=torch.tensor([[BOX]]).expand(batch, 1, 4).clone(),
        keypoints=points.expand(batch, -1, -1).clone(),
    )


def found(image: torch.Tensor) -> torch.Tensor:
    """(B, 12, 2) centres of the dots."""
    height, width = image.shape[-2:]
    weight = image / image.sum((-2, -1), keepdim=True)
    x = (weight * torch.arange(width)).sum((-2, -1))
    y = (weight * torch.arange(height)[:, None]).sum((-2, -1))
    return torch.stack([x, y], dim=-1)


@pytest.mark.parametrize("name", WARPED)
def test_keypoints_and_boxes_are_where_the_dots_are(name):
    layer, batch = WARPED[name](), scene()
    out = layer(batch, layer.noise(torch.arange(16)))
    dots = found(out.image)
    height, width = out.image.shape[-2:]
    margin = torch.minimum(dots.amin((1, 2)), torch.tensor([width, height]).sub(dots).amin((1, 2)))
    whole = margin > 6  # no dot is cut by the border
    assert whole.sum() >= 8, "too few scenes to judge"
    assert (out.keypoints - dots)[whole].abs().max() < 0.5
    assert out.keypoints_visible[whole].all()
    hull = torch.cat([dots.amin(1), dots.amax(1)], dim=-1) + 0.5
    difference = (out.boxes[:, 0] - hull)[whole]
    assert difference[:, :2].max() < 0.5, "the box encloses the shape"
    assert difference[:, 2:].min() > -0.5
    assert difference.abs().max() < (0.5 if name not in SEPARATE else 5.0)
    assert (out.boxes_visible[whole] > 0.99).all()


@pytest.mark.parametrize("name", [name for name in WARPED if name not in SEPARATE])
def test_masks_are_where_their_image_is(name):
    layer, batch = WARPED[name](), scene()
    batch = batch.replace(image=batch.mask[:, None].float())
    out = layer(batch, layer.noise(torch.arange(16)))
    bright = out.image[:, 0]
    clear = (bright - 0.5).abs() > 0.26  # at a corner the product of two weights decides
    assert ((bright > 0.5) == (out.mask == 1))[clear].all()
    assert out.mask.dtype == torch.int64
    assert set(out.mask.unique().tolist()) == {0, 1}


@pytest.mark.parametrize("name", WARPED)
def test_the_inverse_undoes_the_geometry(name):
    layer, batch = WARPED[name](), scene()
    noise = layer.noise(torch.arange(16))
    out = layer(batch, noise)
    back = layer.inverse(out, noise, size=SIZE)
    assert back.image.shape[-2:] == SIZE
    shown = out.keypoints_visible
    assert shown.float().mean() > 0.8
    assert (back.keypoints - batch.keypoints)[shown].abs().max() < 0.1
    kept = out.boxes_visible > 0.999
    slack = 12.0 if name not in EXACT else 0.01  # an upright box around an upright box grows
    assert (back.boxes[kept][:, :2] <= batch.boxes[kept][:, :2] + 0.5).all()
    assert (back.boxes[kept][:, 2:] >= batch.boxes[kept][:, 2:] - 0.5).all()
    assert (back.boxes - batch.boxes)[kept].abs().max() < slack
    whole = shown.all(1)
    overlap = (back.mask & batch.mask)[whole].sum() / (back.mask | batch.mask)[whole].sum()
    assert overlap > 0.9
    assert (found(back.image) - batch.keypoints)[whole].abs().max() < 0.75


EXACT = ("RandomHorizontalFlip", "RandomVerticalFlip", "RandomCrop", "CenterCrop", "PadTo", "Resize", "RandomTranslate")


@pytest.mark.parametrize("name", ["Resize", "RandomPerspective", "RandomElasticTransform", "a run"])
def test_the_inverse_is_exact_under_autocast(name):
    layer, batch = WARPED[name](), scene(4)
    noise = layer.noise(torch.arange(4))
    out = layer(batch, noise)
    expected = layer.inverse(out, noise, size=SIZE)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        back = layer.inverse(out, noise, size=SIZE)
    for part in ("image", "mask", "boxes", "keypoints"):
        assert torch.equal(getattr(back, part), getattr(expected, part)), part


def test_the_inverse_shows_nothing_where_a_crop_cut():
    layer = A.CenterCrop((10, 10))
    back = layer.inverse(A.Batch(torch.ones(1, 1, 10, 10)), size=(20, 30))
    assert back.image.sum() == 100
    assert back.image[0, 0, 5:15, 10:20].eq(1).all()


def test_the_inverse_in_evaluation_undoes_preprocessing():
    layer = A.Preprocess(32, mean=0.5, std=0.5, crop=0.8)
    batch = scene()
    out = layer(batch)
    back = layer.inverse(out, size=SIZE)
    torch.testing.assert_close(back.keypoints, batch.keypoints, rtol=0, atol=1e-3)


def test_boxes_are_clipped_and_their_visible_share_is_told():
    layer = A.CenterCrop((10, 10))
    boxes = torch.tensor([[[0, 0, 100, 100], [50, 50, 60, 60], [0, 0, 5, 5], [0, 0, 0, 0], [45, 40, 55, 50]]]).float()
    out = layer(A.Batch(torch.zeros(1, 3, 100, 100), boxes=boxes))
    assert out.boxes[0, :2].tolist() == [[0, 0, 10, 10], [5, 5, 10, 10]]
    torch.testing.assert_close(out.boxes_visible, torch.tensor([[0.01, 0.25, 0.0, 0.0, 0.5]]))


def test_what_one_crop_cuts_off_does_not_come_back():
    """Also where both are one pass: the rotation's empty corners do not show the box that the crop removed."""
    boxes = torch.tensor([[[0.0, 0.0, 20.0, 20.0], [40.0, 40.0, 60.0, 60.0]]])
    pipeline = A.Pipeline(A.CenterCrop((50, 50)), A.RandomRotation((45, 45), p=1.0))
    out = pipeline(A.Batch(torch.zeros(1, 3, 100, 100), boxes=boxes))
    assert out.boxes_visible[0, 0] == 0
    assert out.boxes_visible[0, 1] == 1
    twice = A.CenterCrop((50, 50))(A.CenterCrop((90, 90))(A.Batch(torch.zeros(1, 3, 100, 100), boxes=boxes)))
    assert twice.boxes_visible.tolist() == [[0, 1]]


def test_box_formats():
    xyxy = torch.tensor([[[10.0, 20.0, 30.0, 50.0]]])
    xywh = torch.tensor([[[10.0, 20.0, 20.0, 30.0]]])
    layer, images = A.RandomHorizontalFlip(p=1.0), torch.zeros(1, 3, 60, 80)
    out = layer(A.Batch(images, boxes=xywh, box_format="xywh"))
    assert out.box_format == "xywh"
    assert out.boxes.tolist() == [[[50, 20, 20, 30]]]
    assert layer(A.Batch(images, boxes=xyxy)).boxes.tolist() == [[[50, 20, 70, 50]]]


def test_keypoints_leave_the_image():
    points = torch.tensor([[[0.0, 0.0], [50.0, 50.0]]])
    out = A.CenterCrop((10, 10))(A.Batch(torch.zeros(1, 3, 100, 100), keypoints=points))
    assert out.keypoints_visible.tolist() == [[False, True]]
    hidden = torch.tensor([[True, False]])
    out = A.RandomHorizontalFlip(p=1.0)(
        A.Batch(torch.zeros(1, 3, 100, 100), keypoints=points, keypoints_visible=hidden)
    )
    assert out.keypoints_visible.tolist() == [[True, False]]


def test_photometric_layers_leave_annotations_alone():
    batch = scene()
    batch = batch.replace(image=batch.image[:, :3])
    out = A.Pipeline(A.ColorJitter(0.4, 0.4), A.RandomGaussianBlur(5, p=1.0), A.RandomErasing(p=1.0))(batch)
    for name in ("mask", "boxes", "keypoints"):
        assert torch.equal(getattr(out, name), getattr(batch, name))


def test_masks_keep_their_dtype_and_layers():
    mask = torch.randint(0, 5, (24, 2, 48, 48), dtype=torch.int16)
    out = A.RandomRotation(30, p=1.0)(A.Batch(torch.zeros(24, 3, 48, 48), mask=mask))
    assert out.mask.dtype == torch.int16
    assert out.mask.shape == mask.shape
