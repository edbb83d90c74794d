"""Every exported layer checks, transforms and reports annotations consistently, and never treats alpha as a colour."""

import pytest
import torch

import augment as A
from tests.conformance.catalogue import ALONE, LAYERS, WARPS, draw, make

every_layer = pytest.mark.parametrize("name", LAYERS)
training_or_not = pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
pytestmark = pytest.mark.filterwarnings("error")

BATCH, SIZE = 4, (29, 37)


def scene(photos: torch.Tensor, **changes: object) -> A.Batch:
    """Return a batch with two proper boxes and an empty one, and keypoints of every COCO visibility, one outside."""
    boxes = torch.tensor([[4.0, 3, 20, 17], [10, 12, 30, 26], [9, 5, 9, 20]])
    points = torch.tensor([[8.0, 9, 2], [15, 20, 1], [0, 0, 0], [60, 9, 2]])
    mask = torch.arange(SIZE[0] * SIZE[1]).view(SIZE) // 7 % 4
    batch = A.Batch(
        photos[:BATCH],
        label=torch.eye(BATCH),
        mask=mask.expand(BATCH, -1, -1).clone(),
        boxes=boxes.expand(BATCH, -1, -1).clone(),
        keypoints=points.expand(BATCH, -1, -1).clone(),
        index=torch.arange(BATCH),
    )
    return batch.replace(**changes)


UNFIT = {
    "label": [torch.eye(3), torch.zeros(()), torch.zeros(3, 8), torch.zeros(BATCH, 2, 2)],
    "mask": [
        torch.zeros(SIZE),
        torch.zeros(BATCH, 14, 18),
        torch.zeros(BATCH, SIZE[0], SIZE[1] + 1),
        torch.zeros(1, *SIZE),
        torch.zeros(BATCH, 1, 1, *SIZE),
    ],
    "boxes": [torch.zeros(BATCH, 4), torch.zeros(BATCH, 2, 5), torch.zeros(5, 2, 4), torch.zeros(3, 2, 4)],
    "boxes_visible": [torch.zeros(BATCH, 2), torch.zeros(BATCH), torch.zeros(BATCH, 3, 1)],
    "keypoints": [torch.zeros(BATCH, 2), torch.zeros(BATCH, 2, 4), torch.zeros(5, 2, 2), torch.zeros(1, 2, 2)],
    "keypoints_visible": [torch.zeros(BATCH, 3) > 0, torch.zeros(BATCH) > 0],
    "index": [torch.arange(3), torch.zeros(BATCH, 1, dtype=torch.int64)],
}


@every_layer
@training_or_not
def test_annotations_that_do_not_fit_the_images_are_refused(name, training, photos):
    layer = make(name).train(training)
    for part, values in UNFIT.items():
        for value in values:
            with pytest.raises(ValueError, match=f"Batch: {part} must be .* got"):
                layer(scene(photos, **{part: value}))


@every_layer
@training_or_not
def test_what_is_not_finite_is_refused(name, training, photos):
    layer = make(name).train(training)
    for part in ("boxes", "keypoints"):
        for value in (float("nan"), float("inf")):
            rows = getattr(scene(photos), part).clone()
            rows[1, 0, 1] = value
            with pytest.raises(ValueError, match=rf"Batch: {part}\[1, 0\]=.* must be finite"):
                layer(scene(photos, **{part: rows}))


@every_layer
def test_the_way_back_checks_too(name, photos):
    layer = make(name).eval()
    size = layer.out_size(SIZE) if layer.deterministic else SIZE
    image = torch.zeros(BATCH, 7, *size)
    for part, value in (("mask", torch.zeros(BATCH, size[0] + 1, size[1])), ("boxes", torch.zeros(BATCH, 4))):
        with pytest.raises(ValueError, match=f"Batch: {part} must be"):
            layer.inverse(A.Batch(image, **{part: value}), size=SIZE)


@every_layer
@training_or_not
@pytest.mark.parametrize("box_format", ["xyxy", "xywh"])
def test_what_is_visible_always_comes_out(name, training, box_format, photos):
    layer = make(name).train(training)
    given = scene(photos).with_box_format(box_format)
    out = layer(given, draw(layer, BATCH))
    assert out.boxes_visible.shape == out.boxes.shape[:2]
    assert out.boxes_visible.dtype == torch.float32
    assert out.keypoints_visible.shape == out.keypoints.shape[:2]
    assert out.keypoints_visible.dtype == torch.bool
    if not training and not layer.deterministic:
        assert torch.equal(out.boxes_visible, torch.tensor([1.0, 1, 0]).expand(BATCH, -1))
        assert torch.equal(out.keypoints_visible, torch.tensor([True, True, False, False]).expand(BATCH, -1))
        assert torch.equal(out.boxes, given.boxes)


@every_layer
@training_or_not
def test_a_box_without_area_is_never_visible(name, training, photos):
    layer = make(name).train(training)
    flat = torch.tensor([[9.0, 5, 9, 20], [9, 5, 20, 5], [9, 5, 9, 5], [20, 20, 4, 4]]).expand(BATCH, -1, -1)
    for share in (None, torch.ones(BATCH, 4)):
        out = layer(scene(photos, boxes=flat, boxes_visible=share), draw(layer, BATCH))
        assert not out.boxes_visible.any()


@every_layer
@training_or_not
def test_the_visibility_of_coco_travels(name, training, photos):
    """Visibility becomes 0 for invisible points; the other two columns do not depend on it."""
    layer = make(name).train(training)
    given, noise = scene(photos), draw(layer, BATCH)
    out = layer(given, noise)
    known = given.keypoints[0, :, 2].repeat(out.keypoints.shape[1] // 4)  # each row keeps its visibility or gets 0
    assert torch.equal(out.keypoints[..., 2], torch.where(out.keypoints_visible, known, 0.0))
    labelled = given.keypoints[..., 2] > 0
    plain = layer(given.replace(keypoints=given.keypoints[..., :2], keypoints_visible=labelled), noise)
    assert torch.equal(out.keypoints[..., :2], plain.keypoints)
    assert torch.equal(out.keypoints_visible, plain.keypoints_visible)


def test_the_visibility_of_coco_is_not_lost_by_all():
    """Some points stay visible; the previous test would pass even if all became invisible."""
    layer = A.RandomHorizontalFlip(p=1.0)
    out = layer(A.Batch(torch.zeros(1, 3, *SIZE), keypoints=torch.tensor([[[8, 9, 2], [15, 20, 1], [40, 1, 2]]])))
    assert out.keypoints[0].tolist() == [[28, 9, 2], [21, 20, 1], [-4, 1, 0]]


MASKS = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.float32)
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@every_layer
@training_or_not
def test_annotations_keep_their_type(name, training, photos):
    layer = make(name).train(training)
    noise = draw(layer, BATCH)
    expected = layer(scene(photos), noise)
    for dtype in MASKS:
        mask = scene(photos).mask.to(dtype)
        out = layer(scene(photos, mask=mask), noise).mask
        assert out.dtype == dtype
        if name != "RandomTransplantation" or dtype != torch.bool:  # it draws among the labels in the mask
            assert torch.equal(out, expected.mask.to(dtype))
    for dtype in FLOATS:
        given = scene(photos)
        boxes, points, label = (part.to(dtype) for part in (given.boxes, given.keypoints, given.label))
        out = layer(scene(photos, boxes=boxes, keypoints=points, label=label), noise)
        for part in ("boxes", "keypoints", "label"):
            assert getattr(out, part).dtype == dtype
            torch.testing.assert_close(getattr(out, part), getattr(expected, part).to(dtype))


@every_layer
@training_or_not
def test_whole_positions_are_promoted(name, training, photos):
    layer = make(name).train(training)
    noise = draw(layer, BATCH)
    given, expected = scene(photos), layer(scene(photos), noise)
    for dtype in (torch.int16, torch.int64):
        out = layer(scene(photos, boxes=given.boxes.to(dtype), keypoints=given.keypoints.to(dtype)), noise)
        assert torch.equal(out.boxes, expected.boxes)
        assert torch.equal(out.keypoints, expected.keypoints)


ON_ANY_CHANNEL = {
    *WARPS,
    *("RandomIoUCrop", "RandomJigsaw", "RandomSizedBBoxSafeCrop"),
    *("RandomBoxBlur", "RandomGaussianBlur", "RandomMedianBlur", "RandomMotionBlur"),
    *("RandomDefocus", "RandomGlassBlur", "RandomZoomBlur", "RandomPixelate", "Downscale"),
    *("RandomErasing", "CoarseDropout", "GridMask", "XYMasking", "PixelDropout"),
    *("Normalize", "Denormalize", "RandomChannelShuffle", "RandomChannelDropout"),
    "Opaque",
    *("AugMix", "AutoAugment", "RandAugment", "TrivialAugmentWide", "ThreeAugment", "LearnedPolicy"),  # geometry, blurs
    *("OneOf", "RandomApply", "RandomOrder", "SomeOf"),
}
"""Of the layers without mixing, only these treat an alpha channel like any other; see docs/inputs.md."""
ON_COLOURS = sorted(ALONE.keys() - ON_ANY_CHANNEL)


def test_layers_of_colour_are_found():
    assert len(ON_COLOURS) >= 25


@pytest.mark.parametrize("name", ON_COLOURS)
@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32], ids=str)
@pytest.mark.parametrize("p", [1.0, 0.5])
def test_alpha_is_no_colour(name, channels, dtype, p, photos):
    """Alpha is unchanged, and the colours are the same as without alpha."""
    layer = make(name, p=p)
    images = torch.cat([photos[:, : channels - 1], photos[:, :1].flip(3)], 1)
    images = images if dtype == torch.uint8 else images / 255
    noise = draw(layer)
    out, alone = layer(images, noise), layer(images[:, :-1], noise)
    assert torch.equal(out[:, -1], images[:, -1] * torch.tensor(1 / 255) if dtype == torch.uint8 else images[:, -1])
    torch.testing.assert_close(out[:, :-1], alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ON_COLOURS)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32], ids=str)
def test_named_colours_are_those_of_an_image_of_these_channels(name, dtype, photos):
    """Channels that are not named are unchanged; the named ones come in another order and between others."""
    named = (4, 0, 2)
    images = torch.cat([photos.flip(3), photos[:, :2]], 1)
    images = images if dtype == torch.uint8 else images / 255
    layer = make(name)
    noise = draw(layer)
    out = A.Pipeline(layer, color_channels=named)(images, noise)
    assert torch.equal(out[:, named], layer(images[:, named], noise))
    others = images[:, [1, 3]]
    assert torch.equal(out[:, [1, 3]], others * torch.tensor(1 / 255) if dtype == torch.uint8 else others)


@pytest.mark.parametrize("operator", ["Brightness", "Color", "Contrast", "Sharpness", "Posterize", "Solarize"])
@pytest.mark.parametrize("kernels", [True, False], ids=["kernels", "torch"])
def test_alpha_is_no_colour_for_policies(operator, kernels, photos, in_torch):
    images = torch.cat([photos, photos[:, :1].flip(3)], 1)
    for layer in (A.RandAugment(1, 20, operators=[operator]), A.RandAugment(1, 20, operators=[operator], p=0.5)):
        noise = draw(layer)
        out, alone = (layer(x, noise) if kernels else in_torch(layer, x, noise) for x in (images, images[:, :3]))
        assert torch.equal(out[:, 3], images[:, 3] * torch.tensor(1 / 255))
        assert torch.equal(out[:, :3], alone)
        assert not torch.equal(alone, photos * torch.tensor(1 / 255)) or operator in ("Posterize", "Solarize")


@pytest.mark.parametrize("name", ["AutoContrast", "Equalize", "Invert"])
def test_alpha_is_no_colour_for_histograms_and_the_negative(name, photos):
    images = torch.cat([photos, photos[:, :1] // 2 + 20], 1)
    layer = A.RandAugment(1, 9, increasing=True, operators=[name])
    assert torch.equal(layer(images)[:, 3], images[:, 3] * torch.tensor(1 / 255))
