"""What goes in is checked once at the entry, and an error names what is wrong and the remedy."""

import warnings

import pytest
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from tests.unchecked import import_unchecked

A = import_unchecked("augment")  # the sentences that a user sees, not those of the tests' type checks
IMAGES = torch.zeros(2, 3, 32, 32)
LAYERS = (A.RandomHorizontalFlip(), A.ColorJitter(0.3), A.RandomGaussianBlur(3), A.Normalize(0.5, 0.5), A.Pipeline())


@pytest.mark.parametrize(
    ("shape", "remedy"),
    [
        ((2, 32, 32, 3), r"permute\(0, 3, 1, 2\)"),
        ((2, 28, 28, 1), r"permute\(0, 3, 1, 2\)"),
        ((2, 32, 32, 4), r"permute\(0, 3, 1, 2\)"),
        ((32, 40, 3), r"permute\(2, 0, 1\)"),
        ((2, 5, 32, 32, 3), r"permute\(0, 1, 4, 2, 3\)"),
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32], ids=str)
def test_channels_that_come_last_are_refused(shape, remedy, dtype):
    for layer in LAYERS:
        for mode in (True, False):
            with pytest.raises(ValueError, match=rf"images must be \(B, C, H, W\), got .*: call images.{remedy}"):
                layer.train(mode)(torch.zeros(shape, dtype=dtype))
        layer.train()


@pytest.mark.parametrize(
    "shape", [(2, 3, 32, 3), (2, 4, 9, 4), (2, 12, 32, 32), (2, 200, 3, 3), (2, 5, 32, 2)], ids=str
)
def test_images_that_only_are_narrow_are_not_refused(shape):
    assert A.RandomHorizontalFlip(p=1.0)(torch.zeros(shape)).shape == shape


def test_packed_images_whose_channels_come_last_are_refused():
    images = A.PackedImages.from_images([torch.zeros(32, 40, 3, dtype=torch.uint8)] * 2)
    with pytest.raises(ValueError, match=r"PackedImages: .* come last: call permute\(2, 0, 1\) on each"):
        A.Resize((8, 8))(images)


def test_maps_on_the_way_back_may_have_any_shape():
    layer, scores = A.RandomHorizontalFlip(p=1.0), torch.rand(2, 10, 8, 3) * 100
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        back = layer.inverse(A.Batch(scores), layer.noise(torch.arange(2)), size=(8, 3))
    assert torch.equal(back.image, scores.flip(3))


def test_the_way_back_starts_with_the_size_that_came_out():
    layer = A.CenterCrop((10, 12))
    with pytest.raises(ValueError, match=r"CenterCrop.inverse: images must be \(10, 12\), .* got \(5, 6\)"):
        layer.inverse(A.Batch(torch.zeros(2, 3, 5, 6)), size=(20, 30))


@pytest.mark.parametrize("image", [torch.rand(4, 3, 40, 50) * 255, torch.rand(3, 9, 9).half() * 255], ids=["B", "one"])
def test_floats_as_large_as_bytes_are_warned_of_once(image):
    layer = A.RandomHorizontalFlip()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            layer(image)
    assert [str(warning.message)[:38] for warning in caught] == ["images: floats must lie in [0, 1], and"]
    assert "Give uint8, or divide by 255" in str(caught[0].message)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("low", [0.0, -3.0, -20.0])
def test_floats_about_the_unit_interval_are_not_warned_of(low):
    image = torch.rand(4, 3, 40, 50) * (1 - 2 * low) + low
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for layer in LAYERS:
            layer(image)
        A.RandomHorizontalFlip()(torch.full((2, 3, 8, 8), float("nan")))
        A.RandomHorizontalFlip()((image * 255).clamp(0, 255).to(torch.uint8))


BOXES = tv_tensors.BoundingBoxes(torch.rand(2, 4), format="XYXY", canvas_size=(32, 32))


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_what_a_compose_passes_on_is_no_noise(training):
    """Also where the boxes are as many as the images, and a layer has four draws."""
    layer = A.RandomErasing(0.1, p=1.0).train(training)
    for image, boxes in ((IMAGES, BOXES), (tv_tensors.Image(IMAGES), BOXES)):
        with pytest.raises(TypeError, match=r"RandomErasing: noise must be .* got a BoundingBoxes.* travel in a Batch"):
            v2.Compose([layer])(image, boxes)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize(
    ("noise", "error", "words"),
    [
        (
            torch.zeros(2, 4, dtype=torch.int64),
            TypeError,
            "noise must be a tensor of floats .* got a Tensor of torch.int",
        ),
        ([0.5, 0.5], TypeError, "noise must be a tensor of floats .* got a list"),
        (3, TypeError, "got a int"),
        (torch.rand(2, 9), ValueError, r"expected \(2, 2\), got \(2, 9\); masks, boxes and labels travel in a Batch"),
        (torch.rand(2), ValueError, r"expected \(2, 2\), got \(2,\)"),
    ],
)
def test_noise_is_floats_a_row_an_image(training, noise, error, words):
    with pytest.raises(error, match=f"RandomRotation: .*{words}"):
        A.RandomRotation(5).train(training)(IMAGES, noise)


@pytest.mark.parametrize("part", ["label", "mask", "boxes", "boxes_visible", "keypoints", "keypoints_visible", "index"])
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_lists_and_arrays_are_refused(part, training):
    rows = {"boxes": torch.zeros(2, 1, 4), "keypoints": torch.zeros(2, 1, 2)}
    for layer in LAYERS:
        for value in ([0, 1], torch.zeros(2, 1, 4).numpy()):
            with pytest.raises(TypeError, match=rf"Batch: {part} must be a tensor \(B.*, got (list|ndarray)"):
                layer.train(training)(A.Batch(IMAGES, **(rows | {part: value})))
        layer.train()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"boxes": torch.zeros(2, 1, 4) > 0}, "boxes must be floats or integers, got torch.bool"),
        ({"keypoints": torch.zeros(2, 1, 2) > 0}, "keypoints must be floats or integers, got torch.bool"),
        (
            {"keypoints": torch.zeros(2, 1, 2), "keypoints_visible": torch.zeros(2, 1)},
            "must be bool, got torch.float32",
        ),
        ({"index": torch.zeros(2)}, r"index must be \(B,\) integers, got torch.float32"),
    ],
)
def test_annotations_of_another_type_are_refused(changes, words):
    for layer in LAYERS:
        with pytest.raises(TypeError, match=f"Batch: .*{words}"):
            layer(A.Batch(IMAGES, **changes))


@pytest.mark.parametrize("part", ["boxes_visible", "keypoints_visible"])
def test_what_is_visible_of_nothing_is_refused(part):
    with pytest.raises(ValueError, match=f"Batch: {part} must be .* got"):
        A.RandomHue()(A.Batch(IMAGES, **{part: torch.ones(2, 1) > 0}))


def test_rows_that_are_not_visible_may_hold_anything():
    nan = float("nan")
    boxes = torch.tensor([[[11.0, 12, 19, 19], [nan, nan, nan, nan]]])
    points = torch.tensor([[[11.0, 12, 2], [nan, nan, 0]]])
    out = A.RandomRotation(10, p=1.0)(
        A.Batch(IMAGES[:1], boxes=boxes, boxes_visible=torch.tensor([[1.0, 0.0]]), keypoints=points)
    )
    assert out.boxes_visible.tolist() == [[1, 0]]
    assert out.keypoints_visible.tolist() == [[True, False]]


def test_compiled_code_does_not_look_for_what_is_not_finite_and_shows_none_of_it():
    layer, nan, inf = A.RandomRotation(10, p=1.0), float("nan"), float("inf")
    boxes = torch.tensor([[[11.0, 12, 19, 19], [nan, 2, 9, 9], [1, 2, inf, 9], [-inf, -inf, inf, inf]]])
    points = torch.tensor([[[11.0, 12], [nan, 2], [inf, 2], [-inf, 2]]])
    compiled = torch.compile(lambda batch: layer(batch), fullgraph=True, backend="eager")
    out = compiled(A.Batch(IMAGES[:1], boxes=boxes, keypoints=points))
    assert out.boxes_visible.tolist() == [[1, 0, 0, 0]]
    assert out.keypoints_visible.tolist() == [[True, False, False, False]]


@pytest.mark.parametrize("layer", [A.RandomMosaic(num_classes=3), A.RandomRotation(9), A.Pipeline()], ids=type)
def test_a_layer_compiles_whole_with_everything_in_its_batch(layer):
    rows = {"boxes": torch.tensor([[[2, 3, 20, 20]]] * 2), "keypoints": torch.tensor([[[3, 4, 2]]] * 2)}
    mask, label = torch.zeros(2, 32, 32) > 0, torch.tensor([0, 2])
    batch = A.Batch(IMAGES, label=label, mask=mask, index=torch.arange(2), box_format="xywh", **rows)
    out = torch.compile(lambda batch: layer(batch), fullgraph=True, backend="eager")(batch)
    for name, part in layer(batch).parts().items():
        torch.testing.assert_close(getattr(out, name), part)


def test_packed_images_carry_boxes_and_points_but_no_mask():
    images = A.PackedImages.from_images([torch.zeros(3, 20, 30, dtype=torch.uint8)] * 2)
    points = torch.tensor([[[29.0, 19, 2], [30, 5, 2]]]).expand(2, -1, -1)
    boxes = torch.tensor([[[0.0, 0, 30, 20]]]).expand(2, -1, -1)
    out = A.Resize((10, 10))(A.Batch(images, boxes=boxes, keypoints=points, label=torch.arange(2)))
    assert out.boxes.tolist() == [[[0, 0, 10, 10]]] * 2
    assert out.keypoints[..., 2].tolist() == [[2, 0]] * 2
    for layer in (A.Resize((10, 10)), A.Pipeline(A.Resize((10, 10)), A.ColorJitter(0.1))):
        for mode in (True, False):
            with pytest.raises(ValueError, match="Batch: masks need images of one size: packed images carry none"):
                layer.train(mode)(A.Batch(images, mask=torch.zeros(2, 20, 30)))
    with pytest.raises(ValueError, match=r"Batch: boxes must be \(B, N, 4\) for 2 packed images, got \(3, 1, 4\)"):
        A.Resize((10, 10))(A.Batch(images, boxes=torch.zeros(3, 1, 4)))
