"""Images with other channels than red, green and blue, and with more than 8 bits."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch._subclasses.fake_tensor import FakeTensorMode

from tests.unchecked import import_unchecked

A = import_unchecked("augment")  # the sentences that a user sees, not those of the tests' type checks

NAMED = (3, 1, 0)
INDEX = torch.arange(8)


@pytest.fixture
def bands(photos):
    """Eight images of five channels, bytes."""
    return torch.cat([photos, photos.flip(3)[:, :2]], 1)


def recipe(**options: object) -> A.Pipeline:
    return A.Pipeline(
        A.RandomResizedCrop(20),
        A.ColorJitter(0.4, 0.4, 0.4, 0.1),
        A.RandAugment(),
        A.AugMix(),
        A.Normalize((0.1, 0.2, 0.3, 0.4, 0.5), (0.5, 0.4, 0.3, 0.2, 0.1)),
        **options,
    )


def test_a_recipe_of_named_channels_changes_colours_as_of_an_image_of_these(bands):
    mean, std = torch.tensor((0.1, 0.2, 0.3, 0.4, 0.5)), torch.tensor((0.5, 0.4, 0.3, 0.2, 0.1))
    pipeline = recipe(color_channels=NAMED)
    colours = A.Pipeline(*pipeline.layers[:-1], A.Normalize(mean[list(NAMED)].tolist(), std[list(NAMED)].tolist()))
    out = pipeline(bands, index=INDEX)
    torch.testing.assert_close(out[:, NAMED], colours(bands[:, NAMED], index=INDEX), rtol=0, atol=1e-5)


def test_policies_move_all_channels_and_colour_the_named_ones(bands):
    kept = {"ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate"}
    names = ["Rotate", "Color", "Solarize", "Posterize"]
    layer = A.RandAugment(1, 20, operators=names)
    pipeline, noise = A.Pipeline(layer, color_channels=NAMED), layer.noise(INDEX)
    out, plain = pipeline(bands, noise), A.Pipeline()(bands)
    seen = set()
    for i, row in enumerate(noise):
        operator = next(step["operator"] for step in layer.explain(row, (29, 37))["layers"] if "operator" in step)
        moved = [not torch.equal(out[i, c], plain[i, c]) for c in range(5)]
        assert moved[2] == moved[4] == (operator in kept)
        seen.add(operator in kept)
    assert seen == {True, False}


def test_the_names_reach_layers_in_containers_and_come_from_a_batch(bands):
    inner = A.OneOf([A.RandomInvert(p=1.0), A.Pipeline(A.RandomInvert(p=1.0))])
    expected = bands / 255
    expected[:, NAMED] = 1 - expected[:, NAMED]
    torch.testing.assert_close(A.Pipeline(inner, color_channels=NAMED)(bands), expected)
    batch = A.Batch(bands, color_channels=NAMED)
    out = inner(batch)
    assert out.color_channels == NAMED
    torch.testing.assert_close(out.image, expected)
    assert A.Pipeline(inner, color_channels=NAMED)(A.Batch(bands)).color_channels is None
    assert A.collate([A.Batch(bands[0], color_channels=NAMED)] * 2).color_channels == NAMED
    for view in A.Views([A.Pipeline(inner, color_channels=NAMED)] * 2)(bands):
        torch.testing.assert_close(view, expected)


def test_an_infrared_channel_is_no_alpha_and_grey_may_be_any_channel(bands):
    inverted = A.Pipeline(A.RandomInvert(p=1.0), color_channels=(1, 2, 3))(bands[:, :4])
    torch.testing.assert_close(inverted[:, 0], bands[:, 0] / 255)
    torch.testing.assert_close(inverted[:, 1:], 1 - bands[:, 1:4] / 255)
    grey = A.Pipeline(A.RandomInvert(p=1.0), color_channels=[1])(bands[:, :2])
    torch.testing.assert_close(grey[:, 0], bands[:, 0] / 255)
    torch.testing.assert_close(grey[:, 1], 1 - bands[:, 1] / 255)


def test_names_that_say_what_is_usual_change_nothing(photos):
    plain, named = (A.Pipeline(A.RandAugment(), A.ColorJitter(0.4), **o) for o in ({}, {"color_channels": (0, 1, 2)}))
    assert torch.equal(plain(photos, index=INDEX), named(photos, index=INDEX))


@pytest.mark.parametrize("value", [(0, 1), (0, 0, 1), (0, 1, -2), (0.0, 1.0, 2.0), "rgb", 3, (True, 0, 2)], ids=str)
def test_names_that_are_no_channels_are_refused(value, bands):
    with pytest.raises(ValueError, match=r"Pipeline: color_channels=.* must be three different channels"):
        A.Pipeline(color_channels=value)
    with pytest.raises(ValueError, match=r"Batch: color_channels=.* must be three different channels"):
        A.RandomInvert()(A.Batch(bands, color_channels=value))


def test_names_that_do_not_fit_are_refused(bands):
    with pytest.raises(ValueError, match=r"color_channels=\(0, 1, 5\) must be channels of the images, which have 5"):
        A.Pipeline(color_channels=(0, 1, 5))(bands)
    with pytest.raises(ValueError, match=r"Batch: color_channels=\(0, 1, 2\) must be those of the pipeline, \(3, 1, 0"):
        A.Pipeline(color_channels=NAMED)(A.Batch(bands, color_channels=(0, 1, 2)))
    inside = A.Pipeline(A.RandomInvert(), color_channels=NAMED)
    for outer in (A.Pipeline(inside), A.OneOf([inside]), A.Pipeline(inside, color_channels=(0, 1, 2))):
        with pytest.raises(ValueError, match=r"color_channels=\(3, 1, 0\) has no effect inside"):
            outer(bands)


def test_names_and_depth_are_traced_in_one_graph_without_host_reads(bands):
    dtype = torch.uint16
    pipeline = A.Pipeline(A.RandomInvert(), color_channels=NAMED, dtype=dtype)
    images, noise = to_depth(bands, dtype), pipeline.noise(INDEX)
    torch._dynamo.reset()
    traced = torch.compile(pipeline, fullgraph=True, backend="eager")(images, noise)
    assert traced.dtype == dtype
    assert (traced.int() - pipeline(images, noise).int()).abs().max() <= 1
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert pipeline(torch.empty(8, 5, 9, 9, dtype=dtype), torch.rand(8, pipeline.draws)).shape == (8, 5, 9, 9)


def test_names_and_depth_are_plain_data():
    config = A.Pipeline(color_channels=NAMED, dtype=torch.uint16).config()
    assert config == {"_target_": "augment.Pipeline", "dtype": "uint16", "color_channels": list(NAMED)}


def to_depth(images: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Spread bytes over all levels of a type, with noise in the lower bits."""
    most = torch.iinfo(dtype).max
    low = torch.randint(0, most // 256, images.shape, generator=torch.Generator().manual_seed(0))
    return (images.int() * (most // 256) + low).clamp(0, most).to(dtype)


@pytest.mark.parametrize("dtype", [torch.uint16, torch.int16], ids=str)
@pytest.mark.parametrize("channels", [1, 3, 4, 5])
def test_every_level_survives_what_only_moves_it(dtype, channels, bands):
    images = to_depth(bands[:, :channels], dtype)
    images[0, 0, 0, :2] = torch.tensor([0, torch.iinfo(dtype).max]).to(dtype)
    out = A.Pipeline(A.RandomHorizontalFlip(p=1.0), A.RandomCrop(20, pad_if_needed=True), dtype=dtype)(images)
    assert out.dtype == dtype
    assert out.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(A.Pipeline(A.RandomHorizontalFlip(p=1.0), dtype=dtype)(images).int(), images.int().flip(3))
    clip = A.Pipeline(A.RandomVerticalFlip(p=1.0), dtype=dtype)(images[None])
    assert torch.equal(clip.int(), images[None].int().flip(3))


@pytest.mark.parametrize("dtype", [torch.uint16, torch.int16], ids=str)
def test_levels_are_floats_of_their_range(dtype, photos):
    images = to_depth(photos, dtype)
    floats = images.to(torch.float64) / torch.iinfo(dtype).max
    layer = A.Pipeline(A.RandomRotation(20.0, p=1.0), A.ColorJitter(0.3), A.RandomGaussianBlur(3))
    out, expected = layer(images, index=INDEX), layer(floats, index=INDEX)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out, expected.float(), rtol=0, atol=1e-5)
    batch = A.RandomInvert(p=1.0)(A.Batch(images, mask=torch.zeros(8, 29, 37)))
    torch.testing.assert_close(batch.image, (1 - floats).float())


@pytest.mark.parametrize("dtype", [torch.uint16, torch.int16], ids=str)
def test_floats_come_out_as_the_nearest_level(dtype):
    most = torch.iinfo(dtype).max
    floats = torch.tensor([7.4, 7.6, 30000.4, 30000.6, -9.0, most + 9.0]).view(1, 1, 1, 6) / most
    expected = torch.tensor([7, 8, 30000, 30001, 0, most])
    assert torch.equal(A.Pipeline(dtype=dtype)(floats).flatten().int(), expected.int())


def test_a_16_bit_image_is_resized_as_by_pillow():
    ramp = (np.add.outer(np.arange(40), np.arange(60)) * 650).astype(np.uint16)
    theirs = np.asarray(Image.fromarray(ramp.astype(np.float32)).resize((30, 20), Image.Resampling.BILINEAR))
    ours = A.Pipeline(A.Resize((20, 30)), dtype="uint16")(torch.from_numpy(ramp)[None])
    assert np.abs(ours[0].numpy().astype(float) - theirs).max() <= 1


def test_integers_without_a_meaning_are_refused(photos):
    with pytest.raises(ValueError, match=r"int16 must lie in \[0, 32767\], .* got -7"):
        A.RandomInvert()(torch.full((2, 3, 8, 8), -7, dtype=torch.int16))
    for dtype in (torch.int8, torch.int32, torch.uint32, torch.bool):
        with pytest.raises(TypeError, match="images must be uint8, uint16, int16 or float"):
            A.RandomInvert()(photos.to(dtype))
        with pytest.raises(ValueError, match="must be a floating-point type, uint8, uint16, int16 or None"):
            A.Pipeline(dtype=dtype)


def test_a_fill_for_each_channel_reaches_alpha_and_any_other(bands):
    for count in (1, 2, 4, 5):
        fill = (0.9, 0.7, 0.5, 0.3, 0.1)[:count]
        out = A.Pad(2, fill=fill)(bands[:, :count] / 255)
        torch.testing.assert_close(out[:, :, 0, 0], torch.tensor(fill).expand(8, -1))
    with pytest.raises(ValueError, match="has 3 numbers for images of 5 channels"):
        A.RandomRotation(9, fill_value=(0.1, 0.2, 0.3))(bands)
