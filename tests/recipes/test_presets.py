"""Presets: each does what its name promises, on uint8 images of any size."""

import colorsys
import inspect
import math

import pytest
import torch

import augment as A
from augment.recipes import presets

RECIPES = {
    name: function
    for name, function in vars(presets).items()
    if inspect.isfunction(function)
    and "mean" in inspect.signature(function).parameters
    and function.__module__ == presets.__name__  # tests/recipes/test_view_presets.py has the others
}
POLICIES = ("randaugment", "trivialaugment", "autoaugment", "augmix", "three_augment")
SAMPLES = 600
PLAIN = {"mean": 0.0, "std": 1.0}

every_recipe = pytest.mark.parametrize("name", RECIPES)


def images(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def moved(pipeline: A.Pipeline, points: list[list[float]]) -> torch.Tensor:
    """Return the new positions of points in 16 by 16 images, (SAMPLES, K, 2)."""
    keypoints = torch.tensor(points).expand(SAMPLES, -1, 2)
    return pipeline(
        A.Batch(torch.zeros(SAMPLES, 3, 16, 16), keypoints=keypoints, index=torch.arange(SAMPLES))
    ).keypoints


def mirrored(pipeline: A.Pipeline) -> float:
    """Return the share of samples in which the orientation of a triangle is reversed."""
    a, b, c = moved(pipeline, [[6.0, 6.0], [10.0, 6.0], [8.0, 10.0]]).unbind(1)
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    return (area < 0).float().mean().item()


def test_every_recipe_is_there():
    named = {"imagenet", "cifar", "light", "ocr", "medical", "none", *POLICIES}
    assert set(RECIPES) == named
    assert A.presets is presets


@every_recipe
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(8, 8), (50, 31)], ids=str)
def test_bytes_of_any_size_come_out_normalised(name, channels, size):
    pipeline = RECIPES[name](20, mean=0.5, std=0.25)
    out = pipeline(images(16, channels, *size))
    assert out.shape == (16, channels, 20, 20)
    assert out.dtype == torch.float32
    assert out.is_contiguous(memory_format=torch.channels_last)
    assert torch.isfinite(out).all()
    assert out.min() < -0.5
    assert out.max() > 0.5


@every_recipe
def test_images_of_mixed_sizes(name):
    packed = A.PackedImages.from_images([images(3, 40, 60), images(3, 25, 9), images(3, 16, 16)])
    assert RECIPES[name]((18, 24))(packed).shape == (3, 3, 18, 24)


@every_recipe
def test_options_are_the_pipelines(name):
    pipeline = RECIPES[name](12, seed=7, dtype="bfloat16", compile=False)
    assert (pipeline.seed, pipeline.dtype, pipeline.compile_mode) == (7, torch.bfloat16, False)
    with pytest.raises(TypeError, match="no_such_argument"):
        RECIPES[name](12, no_such_argument=1)


@every_recipe
def test_evaluation_is_not_random(name):
    picture = images(4, 3, 20, 20)
    fixed = RECIPES[name](20).eval()
    expected = A.Pipeline(A.Normalize(A.IMAGENET_MEAN, A.IMAGENET_STD))(picture)
    torch.testing.assert_close(fixed(picture), expected)


@every_recipe
def test_documentation_names_every_argument(name):
    doc = inspect.getdoc(RECIPES[name])
    assert all(
        f"{argument}:" in doc or f"{argument}, " in doc
        for argument in inspect.signature(RECIPES[name]).parameters
        if argument != "std"
    )


@pytest.mark.parametrize(
    ("name", "share"), [("imagenet", 0.5), ("cifar", 0.5), ("light", 0), ("ocr", 0), ("medical", 0)]
)
def test_who_mirrors(name, share):
    assert mirrored(RECIPES[name](16)) == pytest.approx(share, abs=0.06 if share else 0)


@pytest.mark.parametrize(("framing", "share"), [("crop", 0.5), ("shift", 0.5), ("whole", 0)])
@pytest.mark.parametrize("name", POLICIES)
def test_framing_decides_about_mirror_images(name, framing, share):
    assert mirrored(RECIPES[name](16, framing=framing)) == pytest.approx(share, abs=0.06 if share else 0)


@pytest.mark.parametrize("name", POLICIES)
def test_an_unknown_framing_is_refused(name):
    with pytest.raises(ValueError, match="framing='wide' must be one of crop, shift, whole"):
        RECIPES[name](16, framing="wide")


def test_none_is_what_evaluation_sees():
    pipeline, pictures = presets.none(20), images(5, 3, 33, 21)
    assert pipeline.draws == 0
    assert torch.equal(pipeline(pictures), A.Preprocess(20, A.IMAGENET_MEAN, A.IMAGENET_STD, crop=None)(pictures))


def test_light_keeps_within_its_bounds_and_uses_them():
    centre, right = moved(presets.light(16), [[7.5, 7.5], [13.5, 7.5]]).unbind(1)
    x, y = (right - centre).unbind(1)
    angle, scale = torch.rad2deg(torch.atan2(y, x)), torch.hypot(x, y) / 6
    for value, low, high in (
        (angle, -15, 15),
        (scale, 0.9, 1.1),
        (centre[:, 0], 7.5 - 1.28, 7.5 + 1.28),
        (centre[:, 1], 7.5 - 1.28, 7.5 + 1.28),
    ):
        slack = 0.02 * (high - low)
        assert low - 1e-3 <= value.min() < low + slack
        assert high - slack < value.max() <= high + 1e-3


def test_light_leaves_colours_alone():
    colours = torch.tensor([0.2, 0.5, 0.8])[None, :, None, None].expand(200, 3, 16, 16)
    out = presets.light(16, **PLAIN)(colours)
    torch.testing.assert_close(out[:, :, 8, 8], colours[:, :, 8, 8])


def test_ocr_keeps_text_upright():
    left, right = moved(presets.ocr(16), [[2.0, 7.5], [13.0, 7.5]]).unbind(1)
    x, y = (right - left).unbind(1)
    assert torch.rad2deg(torch.atan2(y, x)).abs().max() < 20


def hues(pipeline: A.Pipeline, colour: tuple[float, float, float]) -> torch.Tensor:
    """Augment a plain image and return the hue of its mean colour in degrees, (256,)."""
    plain = torch.tensor(colour)[None, :, None, None].expand(256, 3, 48, 48)
    means = pipeline(plain, index=torch.arange(256)).mean((2, 3)).tolist()
    return torch.tensor([360 * colorsys.rgb_to_hsv(*mean)[0] for mean in means])


@pytest.mark.parametrize("colour", [(0.6, 0.3, 0.4), (0.35, 0.6, 0.4), (0.45, 0.3, 0.6)])
def test_medical_leaves_hue_alone(colour):
    own = 360 * colorsys.rgb_to_hsv(*colour)[0]
    statistics = {"mean": 0.0, "std": 0.2}  # the noise is relative to the standard deviation
    assert ((hues(presets.medical(48, **statistics), colour) - own).abs() < 2).all()
    assert ((hues(presets.imagenet(48, **PLAIN), colour) - own).abs() > 5).float().mean() > 0.5, "shows a change"


def test_medical_is_rigid_up_to_scale():
    points = [[2.0, 3.0], [13.0, 5.0], [7.0, 14.0], [8.0, 8.0]]
    before, after = torch.tensor(points), moved(presets.medical(16), points)
    ratio = torch.cdist(after, after).flatten(1) / torch.cdist(before, before).flatten().clamp(min=1e-9)
    ratio = ratio[:, ~torch.eye(4, dtype=torch.bool).flatten()]
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio), rtol=1e-4, atol=0)
    assert 0.7 <= ratio.min() + 1e-4 < 0.75
    assert 1.35 < ratio.max() - 1e-4 <= 1.4


def operators(pipeline: A.Pipeline, samples: int = 64) -> list[tuple[str, ...]]:
    """Return the operators that each sample got, from `explain`."""
    told = (pipeline.explain(noise, (16, 16))["layers"] for noise in pipeline.noise(torch.arange(samples)))
    return [tuple(entry["operator"] for entry in layers if "operator" in entry) for layers in told]


@pytest.mark.parametrize(("name", "count"), [("randaugment", 2), ("trivialaugment", 1), ("autoaugment", 2)])
def test_every_image_has_its_own_policy(name, count):
    drawn = operators(RECIPES[name](16))
    assert {len(sequence) for sequence in drawn} == {count}
    assert len(set(drawn)) > 10


def test_one_policy_for_a_batch_on_demand():
    pictures, index = images(1, 3, 16, 16).expand(32, -1, -1, -1), torch.arange(32)
    one = presets.randaugment(16, framing="whole", same_on_batch=True)
    outcomes = [one(pictures, index=index, epoch=epoch) for epoch in range(10)]
    assert all((out == out[:1]).all() for out in outcomes)
    assert len({out.sum().item() for out in outcomes}) > 5
    out = presets.randaugment(16, framing="whole")(pictures, index=index)
    assert len({o.sum().item() for o in out}) > 10


def test_magnitudes_of_papers():
    layers = {name: RECIPES[name](16).layers for name in POLICIES}
    randaugment, augmix = (
        next(x for x in layers[n] if isinstance(x, c))
        for n, c in (("randaugment", A.RandAugment), ("augmix", A.AugMix))
    )
    assert randaugment.n == 2
    assert randaugment.slot.level.support() == (pytest.approx(9 / 30),) * 2
    assert augmix.level.support() == (0, pytest.approx(2 / 9))
    assert math.isclose(layers["three_augment"][2].layers[1].brightness.support()[1], 1.3)
