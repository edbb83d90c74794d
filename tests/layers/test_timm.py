"""RandAugment by timm's name: timm's operators, magnitudes, shifts, fill and interpolation, or an error."""

import math

import pytest
import torch

import augment as A
from augment.layers.policies.operators import SPACES

timm = pytest.importorskip("timm.data.auto_augment")
Image = pytest.importorskip("PIL.Image")
np = pytest.importorskip("numpy")

THEIRS = {"TranslateX": "TranslateXRel", "TranslateY": "TranslateYRel"} | {
    name: name + "Increasing" for name in ("Posterize", "Solarize", "Color", "Contrast", "Brightness", "Sharpness")
}


def picture() -> torch.Tensor:
    """Smooth, so that an interpolated pixel is no matter of a level's rounding."""
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(57.0), indexing="ij")
    waves = [torch.sin(x / 9 + c) * torch.cos(y / 7 - c) for c in range(3)]
    return (torch.stack(waves) * 100 + 128).round().to(torch.uint8)


def of_one_operator(name: str, operator: str) -> A.RandAugment:
    layer = A.RandAugment.from_timm(name, operators=[operator], resample="bilinear")
    layer.slot.p = A.Bernoulli(1.0)
    return layer


@pytest.mark.parametrize("operator", SPACES["timm_increasing"])
@pytest.mark.parametrize("magnitude", [3, 7, 9, 15])
def test_an_operator_is_timms(operator, magnitude):
    layer, image = of_one_operator(f"rand-m{magnitude}-n1-inc1", operator), picture()
    noise = layer.noise(torch.arange(4))
    out = A.Pipeline(layer, dtype=torch.uint8)(image.expand(4, -1, -1, -1), noise)
    theirs = timm.AugmentOp(THEIRS.get(operator, operator), prob=1.0, magnitude=magnitude)
    theirs.kwargs["resample"] = Image.Resampling.BILINEAR
    if operator == "Posterize" and magnitude > 9:
        assert out.max() == 0  # no bit is left, which Pillow refuses
        return
    expected = []
    for sign in (1, -1):
        theirs.level_fn, arguments = timm.LEVEL_TO_ARG[theirs.name], None
        if theirs.level_fn is not None:
            level = theirs.level_fn(min(magnitude, 10), theirs.hparams)[0]
            enhances = operator in ("Color", "Contrast", "Brightness", "Sharpness")
            signed = enhances or operator.startswith(("Shear", "Translate", "Rotate"))
            level = (max(0.1, 1 + sign * abs(level - 1)) if enhances else sign * abs(level)) if signed else level
            arguments = (level,)
        pillow = Image.fromarray(image.permute(1, 2, 0).numpy())
        result = theirs.aug_fn(pillow, *(arguments or ()), **theirs.kwargs)
        expected.append(torch.from_numpy(np.array(result)).permute(2, 0, 1))
    for one in out:
        apart = [(one.int() - other.int()).abs() for other in expected]
        best = min(apart, key=lambda difference: difference.float().mean())
        border = 1 if layer.slot.halves[0].operators[0].name in ("Rotate", "ShearX", "ShearY") else 0
        assert (best > 1).float().mean() <= (0.03 if border or operator.startswith("Translate") else 0)


@pytest.mark.parametrize("size", [20, 57, 224])
def test_shifts_are_not_cut_to_whole_pixels(size):
    layer = of_one_operator("rand-m10-n1-inc1", "TranslateX")
    params = layer.leaf_params(layer.noise(torch.arange(8)))[0]
    value = layer.leaves()[0].resolve(params, (size, size))["value"].abs()
    torch.testing.assert_close(value, torch.full((8,), 0.45 * size))
    inside = layer(torch.full((8, 3, size, size), 255, dtype=torch.uint8))
    shown = (inside[:, 0, 0] > 0.999).sum(1)
    assert (shown - (size - 0.45 * size)).abs().max() <= 1


def test_the_fill_is_timms_grey_unless_given():
    white = torch.full((16, 3, 32, 32), 255, dtype=torch.uint8)
    layer = of_one_operator("rand-m9-n1-inc1", "TranslateX")
    assert layer(white).amin() == pytest.approx(timm._FILL[0] / 255, abs=1e-6)
    imagenet = A.RandAugment.from_timm("rand-m9-n1-inc1", operators=["TranslateX"], fill=(0.485, 0.456, 0.406))
    imagenet.slot.p = A.Bernoulli(1.0)
    darkest = imagenet(white).amin((0, 2, 3)) * 255
    torch.testing.assert_close(darkest, torch.tensor([124.0, 116.0, 104.0]), rtol=0, atol=0.51)


@pytest.mark.parametrize(
    ("name", "magnitude", "spread"),
    [
        ("rand-m15-mstd0.5-inc1", 15, 0.5),
        ("rand-m10-mstd0.5-inc1", 10, 0.5),
        ("rand-m9-mstd1-inc1", 9, 1.0),
        ("rand-m15-mstd101-inc1", 15, math.inf),
        ("rand-m1-mstd2-inc1", 1, 2.0),
        ("rand-m15-inc1", 15, 0.0),
        ("rand-inc1", 10, 0.0),
    ],
)
def test_magnitudes_are_cut_where_timm_cuts_them(name, magnitude, spread):
    """The mean and the share at each end of what is drawn."""
    layer = A.RandAugment.from_timm(name)
    level = layer.leaf_params(layer.noise(torch.arange(20_000)))[0]["level"].double() * 10
    generator = torch.Generator().manual_seed(0)
    drawn = torch.full((20_000,), float(magnitude), dtype=torch.float64)
    if math.isinf(spread):
        drawn = drawn * torch.rand(20_000, generator=generator, dtype=torch.float64)
    elif spread:
        drawn = drawn + spread * torch.randn(20_000, generator=generator, dtype=torch.float64)
    expected = drawn.clamp(0, 10)
    assert level.mean() == pytest.approx(expected.mean().item(), abs=0.06)
    for end in (0.0, 10.0):
        share = (level - end).abs() < 1e-5
        assert share.double().mean() == pytest.approx((expected == end).double().mean().item(), abs=0.015)


def test_a_configuration_is_written_and_read_again():
    layer = A.RandAugment.from_timm("rand-m15-mstd0.5-inc1")
    config = layer.config()
    assert config["resample"] == "random"
    again = A.RandAugment(**{key: value for key, value in config.items() if key != "_target_"})
    noise = layer.noise(torch.arange(4))
    images = picture().expand(4, -1, -1, -1)
    assert torch.equal(again(images, noise), layer(images, noise))


@pytest.mark.parametrize(
    "name",
    [
        *("augmix-m3", "m9-inc1", "", "rand-m9-inc1-mmin2", "rand-t3a", "rand-m9-t3aw-inc1", "rand-w1"),
        *("rand-m9.5-inc1", "rand-m9-m8-inc1", "rand-m9-inc1-", "rand-m-inc1", "original", "rand-", "rand--m9"),
        *("rand-mstdinf-inc1", "RAND-m9-inc1", "rand-m-9-inc1"),
    ],
)
def test_what_is_not_offered_is_refused(name):
    with pytest.raises(ValueError, match=r"RandAugment.from_timm: name='.*' must look like 'rand-m9-n2-p0.5-mstd0.5"):
        A.RandAugment.from_timm(name)
