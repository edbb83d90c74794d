"""Crops that keep boxes: what they promise for the boxes of each image, and torchvision's distribution."""

import pytest
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

import augment as A

COUNT, SIZE = 256, (70, 100)


def scene() -> A.Batch:
    random = torch.Generator().manual_seed(0)
    corner = torch.rand(COUNT, 4, 2, generator=random) * torch.tensor([80.0, 50])
    sides = 5 + torch.rand(COUNT, 4, 2, generator=random) * 20
    boxes = torch.cat([corner, corner + sides], -1).minimum(torch.tensor([100.0, 70, 100, 70]))
    return A.Batch(torch.rand(COUNT, 1, *SIZE, generator=random), boxes=boxes)


def parts(layer: A.Layer, batch: A.Batch, noise: torch.Tensor) -> torch.Tensor:
    """(B, 4) x1 y1 x2 y2 that a layer cuts out, read from where it moves two keypoints."""
    points = torch.tensor([[[-0.5, -0.5], [99.5, 69.5]]]).expand(COUNT, -1, -1)
    moved = layer(batch.replace(keypoints=points), noise).keypoints + 0.5
    height, width = layer.out_size(SIZE)
    scale = (moved[:, 1] - moved[:, 0]) / torch.tensor([100.0, 70])
    low = -moved[:, 0] / scale
    return torch.cat([low, low + torch.tensor([width, height]) / scale], 1)


def test_a_safe_crop_contains_all_boxes_and_reaches_them():
    layer, batch = A.RandomSizedBBoxSafeCrop((32, 40)), scene()
    noise = layer.noise(torch.arange(COUNT))
    assert (layer(batch, noise).boxes_visible > 1 - 1e-5).all()
    found = parts(layer, batch, noise)
    low, high = batch.boxes[..., :2].amin(1), batch.boxes[..., 2:].amax(1)
    assert (found.round() - found).abs().max() < 2e-3
    assert (found[:, :2] <= low + 1e-3).all()
    assert (found[:, 2:] >= high - 1e-3).all()
    share = (found[:, :2].mean(0) / low.floor().mean(0)).tolist()
    assert share == pytest.approx([0.5, 0.5], abs=0.08), "uniform from the image's side to the boxes'"


def test_erosion_lets_a_crop_cut_boxes():
    layer, batch = A.RandomSizedBBoxSafeCrop(32, erosion_rate=0.5), scene()
    shares = layer(batch, layer.noise(torch.arange(COUNT))).boxes_visible
    assert 0.75**2 - 0.05 < shares.min() < 0.9  # a quarter on each side, and whole pixels


def test_boxes_that_are_not_visible_do_not_count():
    layer, batch = A.RandomSizedBBoxSafeCrop(32), scene()
    noise = layer.noise(torch.arange(COUNT))
    seen = torch.tensor([1.0, 0, 0, 0]).expand(COUNT, -1)
    alone = layer(batch.replace(boxes=batch.boxes[:, :1]), noise).image
    assert torch.equal(layer(batch.replace(boxes_visible=seen), noise).image, alone)
    assert not torch.equal(layer(batch, noise).image, alone)


def test_iou_crops_are_distributed_as_torchvisions():
    batch, layer, theirs = scene(), A.RandomIoUCrop((70, 100)), v2.RandomIoUCrop()
    torch.manual_seed(0)
    expected = []
    for image, boxes in zip(batch.image[:80], batch.boxes, strict=False):
        given = [tv_tensors.Image(image), tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=SIZE)]
        drawn = theirs.make_params(given)
        inside, area = (drawn["is_within_crop_area"].sum(), drawn["height"] * drawn["width"]) if drawn else (4, 7000)
        expected.append([float(inside), area / 7000, float(not drawn)])
    noise = layer.noise(torch.arange(COUNT))
    out, found = layer(batch, noise), parts(layer, batch, noise)
    area = (found[:, 2:] - found[:, :2]).prod(1) / 7000
    ours = torch.stack([(out.boxes_visible > 0).float().sum(1), area, (area > 0.999).float()], 1)
    difference = (ours.mean(0) - torch.tensor(expected).mean(0)).abs()
    assert (difference < torch.tensor([0.45, 0.12, 0.16])).all(), difference  # 3 standard errors


@pytest.mark.parametrize("least", [0.0, 0.25])
def test_an_iou_crop_has_the_overlap_and_hides_boxes_whose_centre_is_cut_off(least):
    layer, batch = A.RandomIoUCrop(32, sampler_options=[least]), scene()
    noise = layer.noise(torch.arange(COUNT))
    out, found = layer(batch, noise), parts(layer, batch, noise)
    centres = (batch.boxes[..., :2] + batch.boxes[..., 2:]) / 2
    inside = ((centres > found[:, None, :2] - 1e-3) & (centres < found[:, None, 2:] + 1e-3)).all(-1)
    assert torch.equal(out.boxes_visible > 0, inside)
    common = (
        batch.boxes[..., 2:].minimum(found[:, None, 2:]) - batch.boxes[..., :2].maximum(found[:, None, :2])
    ).clamp(0)
    areas = (batch.boxes[..., 2:] - batch.boxes[..., :2]).prod(-1), (found[:, 2:] - found[:, :2]).prod(-1)[:, None]
    overlap = common.prod(-1) / (areas[0] + areas[1] - common.prod(-1))
    cropped = areas[1][:, 0] < 6999
    assert cropped.any()
    assert (torch.where(inside, overlap, 0).amax(1)[cropped] >= least - 1e-3).all()


@pytest.mark.parametrize(
    "layer", [A.RandomIoUCrop(32), A.RandomSizedBBoxSafeCrop(32)], ids=lambda layer: type(layer).__name__
)
def test_one_image_does_not_depend_on_others_and_packed_images_give_the_same(layer):
    batch = scene().map(lambda part: part[:4])
    batch = batch.replace(image=(batch.image.expand(-1, 3, -1, -1) * 255).to(torch.uint8))
    noise = layer.noise(torch.arange(4))
    together = layer(batch, noise)
    alone = layer(batch.map(lambda part: part[2:3]), noise[2:3])
    torch.testing.assert_close(alone.image[0], together.image[2])
    packed = layer(batch.replace(image=A.PackedImages.from_images(list(batch.image))), noise)
    torch.testing.assert_close(packed.image, together.image, rtol=0, atol=1e-4)
    torch.testing.assert_close(packed.boxes, together.boxes, rtol=0, atol=1e-4)
    rotated = layer(batch.with_box_format("cxcywhr"), noise)
    torch.testing.assert_close(rotated.image, together.image, rtol=0, atol=0.05)
    layer = type(layer)((32, 32), p=0.0)
    assert torch.equal(layer(batch).image, A.Resize((32, 32))(batch).image)


@pytest.mark.parametrize("layer", [A.RandomSizedBBoxSafeCrop(8), A.RandomIoUCrop(8)], ids=lambda x: type(x).__name__)
def test_a_batch_with_no_rows_of_boxes_is_cut_as_one_without_boxes(layer):
    images, index = torch.rand(2, 3, 20, 30), torch.arange(2)
    out = layer(A.Batch(images, boxes=torch.zeros(2, 0, 4)), layer.noise(index))
    assert out.boxes.shape == (2, 0, 4)
    assert out.image.equal(layer(A.Batch(images), layer.noise(index)).image)


def test_what_cannot_be_known_is_refused():
    layer = A.RandomIoUCrop(32)
    out = layer(scene())
    with pytest.raises(ValueError, match="RandomIoUCrop cannot be undone: what it cuts out depends on the boxes"):
        layer.inverse(out, layer.noise(torch.arange(COUNT)), size=SIZE)
    whole = layer.looks_at if hasattr(layer, "looks_at") else A.Pipeline(layer).looks_at
    look = whole(torch.tensor([[70, 100]]), layer.noise(torch.arange(1)))
    assert look.box.tolist() == [[0, 0, 70, 100]]
    assert look.reduction.tolist() == [1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"min_scale": 0.5, "max_scale": 0.4}, "min_scale=0.5 must not be above max_scale=0.4"),
        ({"min_aspect_ratio": 3.0}, "min_aspect_ratio=3.0 must not be above max_aspect_ratio=2.0"),
        ({"sampler_options": []}, "sampler_options"),
        ({"trials": 0}, "trials=0"),
        ({"max_scale": 2.0}, "max_scale=2.0"),
    ],
)
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=f"RandomIoUCrop: {message}"):
        A.RandomIoUCrop(32, **arguments)
