"""What travels beside the image: maps, masks outside of it, mirrored keypoints, extra fields, and clips."""

import pytest
import torch

import augment as A

SIZE = (32, 40)
WARP = A.Pipeline(A.RandomResizedCrop((28, 36), scale=(0.6, 1.0)), A.RandomRotation(30.0, p=1.0))
LEFT_RIGHT = (0, 2, 1)


def images(count: int = 4) -> torch.Tensor:
    y, x = torch.meshgrid(*[torch.linspace(0, 6, side) for side in SIZE], indexing="ij")
    phase = torch.arange(3.0 * count).view(count, 3, 1, 1)
    return 0.5 + 0.5 * torch.sin(x + 2 * y + phase)


def fields(count: int = 4, **changes: object) -> A.Batch:
    """A batch with all fields."""
    x1, y1, width, height = (torch.rand(count, 2) * side for side in (20, 15, 15, 15))
    made = A.Batch(
        images(count),
        label=torch.eye(count),
        mask=torch.randint(0, 3, (count, *SIZE), dtype=torch.uint8),
        boxes=torch.stack([x1, y1, width, height], -1),
        box_format="xywh",
        keypoints=torch.rand(count, 6, 2) * 28,
        maps=torch.rand(count, 2, *SIZE) * 100 - 50,
        mask_fill=255,
        flip_indices=LEFT_RIGHT,
        extra={"path": [f"{k}.jpg" for k in range(count)], "depth": torch.arange(count)},
    )
    return made.replace(**changes)


@pytest.mark.parametrize(
    "layer",
    [
        WARP,
        A.RandomHorizontalFlip(p=0.5),
        A.RandomElasticTransform(31, (6.0, 6.0), (1.0, 1.0), p=1.0),
        A.RandomJigsaw((2, 2), p=1.0),
        A.RandomCrop((30, 44), padding=4),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_maps_are_where_the_image_is(layer):
    noise = layer.noise(torch.arange(4))
    out = layer(fields(maps=images()), noise)
    torch.testing.assert_close(out.maps, out.image, rtol=0, atol=1e-5)
    scaled = layer(fields(maps=(images() * 1000).double()), noise).maps
    assert scaled.dtype == torch.float64
    torch.testing.assert_close(scaled, out.image.double() * 1000, rtol=0, atol=0.02)


@pytest.mark.parametrize("name", ["RandomCutMix", "ResizeMix", "RandomMosaic"])
def test_mixes_paste_maps_as_they_paste_images(name):
    layer = getattr(A, name)(p=1.0)
    out = layer(fields(maps=images()), layer.noise(torch.arange(4)))
    torch.testing.assert_close(out.maps, out.image, rtol=0, atol=1e-5)
    assert not torch.equal(out.maps, images())


def test_transplanted_pixels_bring_their_maps():
    out = A.RandomTransplantation(p=1.0)(fields(maps=images()))
    assert torch.equal(out.maps, out.image)
    assert not torch.equal(out.maps, images())


def test_colours_leave_maps_alone_and_mixup_too():
    given = fields()
    out = A.Pipeline(A.ColorJitter(0.4, 0.4), A.Normalize(0.5, 0.5), A.RandomMixUp(), A.RandomErasing(p=1.0))(given)
    assert torch.equal(out.maps, given.maps)


def test_the_inverse_takes_maps_back():
    layer = A.RandomHorizontalFlip(p=1.0)
    noise = layer.noise(torch.arange(4))
    assert torch.equal(layer.inverse(layer(fields(maps=images()), noise), noise, size=SIZE).maps, images())


def test_maps_are_floats_of_the_size_of_the_images():
    with pytest.raises(TypeError, match="maps must be floats"):
        WARP(fields(maps=torch.zeros(4, 1, *SIZE, dtype=torch.uint8)))
    with pytest.raises(ValueError, match=r"maps must be \(B, K, H, W\)"):
        WARP(fields(maps=torch.zeros(4, *SIZE)))
    packed = A.PackedImages.from_images([torch.zeros(3, 8, 8, dtype=torch.uint8)] * 2)
    with pytest.raises(ValueError, match="maps need images of one size"):
        A.Resize((4, 4))(A.Batch(packed, maps=torch.zeros(2, 1, 8, 8)))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float32], ids=str)
def test_masks_have_their_own_value_outside(dtype):
    layer = A.Pipeline(A.Pad((2, 3, 4, 5)), A.RandomRotation((30.0, 30.0), p=1.0))
    noise = layer.noise(torch.arange(4))
    ones = torch.ones(4, *SIZE, dtype=dtype)
    zero, filled = (layer(fields(mask=ones, mask_fill=fill), noise).mask for fill in (0, 255))
    assert filled.dtype == dtype
    assert torch.equal(filled, torch.where(zero == 0, 255, zero).to(dtype))
    assert (zero == 0).any()


def test_a_mosaic_fills_masks_beyond_its_grid():
    layer = A.RandomMosaic((80, 90), p=1.0, start_ratio_range=0.0)
    mask = layer(fields(mask=torch.ones(4, *SIZE, dtype=torch.uint8))).mask
    assert mask[:, 64:].unique().tolist() == [255]
    assert mask[:, :64, :80].unique().tolist() == [1]


@pytest.mark.parametrize(
    ("fill", "dtype"), [(256, torch.uint8), (-1, torch.uint8), (0.5, torch.int64), (2, torch.bool)]
)
def test_a_value_that_masks_cannot_hold_is_refused(fill, dtype):
    with pytest.raises(ValueError, match=f"mask_fill={fill} must be a value that masks of {dtype} can hold"):
        WARP(fields(mask=torch.zeros(4, *SIZE, dtype=dtype), mask_fill=fill))


@pytest.mark.parametrize(
    "layer",
    [
        A.RandomErasing(p=0.5, value=9.0, fill_mask=7),
        A.RandomErasing(p=1.0, count=(1, 4), value=9.0, fill_mask=7),
        A.CoarseDropout((1, 4), p=0.5, fill=1.0, fill_mask=7),
        A.GridMask(p=0.5, fill=1.0, fill_mask=7),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_holes_are_filled_in_masks_too(layer):
    """Where the layer fills black images, it fills the masks, in each of their layers."""
    given = fields(image=torch.zeros(4, 3, *SIZE))
    noise = layer.noise(torch.arange(4))
    out = layer(given, noise)
    holes = out.image[:, 0] > 0
    assert holes.any()
    assert torch.equal(out.mask, torch.where(holes, 7, given.mask))
    layered = layer(given.replace(mask=given.mask[:, None].expand(-1, 2, -1, -1)), noise).mask
    assert torch.equal(layered, out.mask[:, None].expand_as(layered))
    layer = type(layer)(p=1.0)
    assert torch.equal(layer(given).mask, given.mask), "not without fill_mask"


def test_a_mirror_image_exchanges_keypoints():
    given = fields()
    exchanged = [0, 2, 1, 3, 5, 4]
    for layer in (A.RandomHorizontalFlip(p=1.0), A.RandomVerticalFlip(p=1.0)):
        noise = layer.noise(torch.arange(4))
        out, plain = layer(given, noise), layer(given.replace(flip_indices=None), noise)
        assert torch.equal(out.keypoints, plain.keypoints[:, exchanged])
        assert torch.equal(out.keypoints_visible, plain.keypoints_visible[:, exchanged])
        back = layer.inverse(out, noise, size=SIZE).keypoints
        torch.testing.assert_close(back, given.keypoints, rtol=0, atol=1e-4)
    both = A.Pipeline(A.RandomHorizontalFlip(p=1.0), A.RandomRotation(20.0, p=1.0), A.RandomVerticalFlip(p=1.0))
    for layer in (both, WARP, A.RandomPerspective(0.4, p=1.0)):
        noise = layer.noise(torch.arange(4))
        assert torch.equal(layer(given, noise).keypoints, layer(given.replace(flip_indices=None), noise).keypoints)


def test_only_mirrored_samples_exchange_keypoints_and_visibility():
    layer = A.RandomHorizontalFlip(p=0.5)
    noise = torch.tensor([[0.9], [0.1]])
    points = torch.tensor([[[1.0, 1, 2], [5, 5, 1], [9, 9, 0]]]).expand(2, -1, -1)
    out = layer(A.Batch(torch.zeros(2, 3, 10, 10), keypoints=points, flip_indices=LEFT_RIGHT), noise)
    assert out.keypoints.tolist() == [[[1, 1, 2], [5, 5, 1], [9, 9, 0]], [[8, 1, 2], [0, 9, 0], [4, 5, 1]]]


@pytest.mark.parametrize("indices", [(0, 1), (1, 2, 0), (0, 0, 1), ()])
def test_indices_that_exchange_nothing_in_pairs_are_refused(indices):
    message = "do not divide 5" if indices == (0, 1) else "must exchange keypoints in pairs"
    with pytest.raises(ValueError, match=f"flip_indices.*{message}"):
        WARP(fields(flip_indices=indices, keypoints=torch.rand(4, 5, 2)))


def test_extra_fields_travel_untouched():
    given = fields()
    for layer in (WARP, A.RandomCutMix(), A.Pipeline()):
        out = layer(given)
        assert out.extra is given.extra
    first, second = A.Views([WARP, A.RandomHorizontalFlip()])(given)
    assert first.extra is second.extra is given.extra
    with pytest.raises(ValueError, match=r"extra\['path'\] must have one value for each of 4 samples"):
        WARP(fields(extra={"path": ["a"]}))


def test_extra_fields_move_and_are_collated():
    moved = fields().to("meta").extra
    assert moved["depth"].device.type == "meta"
    assert moved["path"][0] == "0.jpg"
    single = A.Batch(torch.rand(3, 8, 8), maps=torch.rand(1, 8, 8), mask_fill=9, extra={"n": torch.tensor(1), "p": "a"})
    batch = A.collate([single, single.replace(extra={"n": torch.tensor(2), "p": "b"})])
    assert (batch.extra["n"].tolist(), batch.extra["p"]) == ([1, 2], ["a", "b"])
    assert (tuple(batch.maps.shape), batch.mask_fill) == ((2, 1, 8, 8), 9)
    with pytest.raises(ValueError, match="same parts and the same box_format"):
        A.collate([single, single.replace(mask_fill=0)])


def test_clips_carry_annotations_of_their_frames():
    flat = fields(6)
    clips = flat.map(lambda part: part.unflatten(0, (2, 3)))
    clips = clips.replace(label=torch.tensor([3, 5]), index=torch.tensor([7, 9]), extra={"path": ["a", "b"]})
    noise = WARP.noise(clips.index)
    out = WARP(clips)
    expected = WARP(flat.replace(index=None), noise.repeat_interleave(3, 0))
    for name in ("image", "mask", "maps", "boxes", "boxes_visible", "keypoints", "keypoints_visible"):
        assert torch.equal(getattr(out, name).flatten(0, 1), getattr(expected, name)), name
    assert out.boxes.shape[:2] == (2, 3)
    assert (out.label.tolist(), out.index.tolist(), out.extra) == ([3, 5], [7, 9], {"path": ["a", "b"]})
    back, there = (WARP.inverse(b, n, size=SIZE) for b, n in ((out, noise), (expected, noise.repeat_interleave(3, 0))))
    assert torch.equal(back.maps.flatten(0, 1), there.maps)
    with pytest.raises(ValueError, match=r"mask of clips must begin with \(B, T\) = \(2, 3\)"):
        WARP(clips.replace(mask=flat.mask))
    with pytest.raises(ValueError, match="RandomMixUp cannot take clips"):
        A.RandomMixUp()(clips)
