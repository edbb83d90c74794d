"""Every name of a policy that timm accepts means the same operators, probabilities and magnitudes here."""

import math

import pytest
import torch

import augment as A
from augment.layers.policies.autoaugment_timm import TIMM_POLICIES
from augment.layers.policies.operators import SPACES

timm = pytest.importorskip("timm.data.auto_augment")
np = pytest.importorskip("numpy")

SIZE = (32, 48)
COUNT = 20_000
SIGNED = ("Shear", "Translate", "Rotate")


def ours(name: str) -> str:
    """Return our name of an operator of timm."""
    return name.replace("Increasing", "").replace("Original", "").replace("Rel", "")


def space_of(names: list[str]) -> dict:
    """Return the space of ours that has timm's variants."""
    increasing = "ColorIncreasing" in names
    return SPACES["timm_increasing" if increasing else "timm"]


@pytest.mark.parametrize("magnitude", [0, 1, 3.3, 5, 7, 9.9, 10, 14, 20])
@pytest.mark.parametrize(
    ("space", "variants"),
    [
        ("timm", timm._RAND_TRANSFORMS),
        ("timm_increasing", timm._RAND_INCREASING_TRANSFORMS),
        ("timm_original", ["PosterizeOriginal"]),
        ("timm_reversed", ["PosterizeIncreasing"]),
        ("timm_augmix", timm._AUGMIX_TRANSFORMS),
    ],
)
def test_a_magnitude_is_the_value_of_timm(space, variants, magnitude):
    share = 0.3 if space == "timm_augmix" else 0.45
    level, sign = torch.full((1,), magnitude / 10, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    if space != "timm_original" and space != "timm_reversed":
        assert {ours(name) for name in variants} == set(SPACES[space])
    for name in variants:
        function = timm.LEVEL_TO_ARG[name]
        if function is None:
            continue
        expected = {function(magnitude, {"translate_pct": share})[0] for _ in range(40)}  # of both signs
        extent = {"TranslateXRel": SIZE[1], "TranslateYRel": SIZE[0]}.get(name, 1)
        found = {SPACES[space][ours(name)](level, sign * s, SIZE).item() for s in (1, -1)}
        assert sorted(found) == pytest.approx(sorted({value * extent for value in expected}), abs=1e-9), name


NAMES = [
    *("rand-m9-mstd0.5-inc1", "rand-m9-n3", "rand-m15-mmax20-inc1", "rand-m30-mmax30-mstd2", "rand-n1-p0.7-inc1"),
    *(
        "rand",
        "rand-m5-mstd101-inc1",
        "rand-m12",
        "rand-inc0-m3-p1",
        "rand-m9-mstd0.5-tweights",
        "rand-n4-tweights-inc1",
    ),
]


@pytest.mark.parametrize("name", NAMES)
def test_randaugment_draws_what_timm_draws(name):
    theirs, layer = timm.rand_augment_transform(name), A.RandAugment.from_timm(name)
    names = [op.name for op in theirs.ops]
    assert layer.n == theirs.num_layers
    assert [operator.name for operator in layer.slot.halves[0].operators] == [ours(one) for one in names]
    for operator in layer.slot.halves[0].operators:
        assert operator.value is space_of(names)[operator.name]
    one = theirs.ops[0]
    params = layer.leaf_params(layer.noise(torch.arange(COUNT)))
    first = params[-1]  # the photometric half of the last step
    assert first.get("gate", torch.ones(1)).float().mean().item() == pytest.approx(one.prob, abs=0.02)
    assert torch.bincount(first["op"].long(), minlength=len(names)).double() / COUNT == pytest.approx(
        frequencies(theirs), abs=0.02
    )
    level = first["level"].double() * 10
    expected = magnitudes(one)
    assert level.mean() == pytest.approx(expected.mean(), abs=0.1)
    assert level.std() == pytest.approx(expected.std(), abs=0.1)
    assert level.max().item() <= (one.magnitude_max or 10) + 1e-5


def frequencies(theirs: object) -> np.ndarray:
    """Return how often timm draws each operator last."""
    generator = np.random.RandomState(0)
    count, weights = len(theirs.ops), theirs.choice_weights
    if weights is None:
        return np.full(count, 1 / count)
    last = [generator.choice(count, theirs.num_layers, replace=False, p=weights)[-1] for _ in range(COUNT // 2)]
    return np.bincount(last, minlength=count) / len(last)


def magnitudes(op: object) -> np.ndarray:
    generator = np.random.RandomState(0)
    drawn = np.full(COUNT, float(op.magnitude))
    if math.isinf(op.magnitude_std):
        drawn = generator.uniform(0, op.magnitude, COUNT)
    elif op.magnitude_std:
        drawn = drawn + op.magnitude_std * generator.randn(COUNT)
    return drawn.clip(0, op.magnitude_max or 10)


def test_weighted_operators_of_a_sample_differ():
    layer = A.RandAugment.from_timm("rand-n5-tweights")
    params = layer.leaf_params(layer.noise(torch.arange(200)))
    drawn = torch.stack([step["op"] for step in params[2::3]], 1).sort(1).values
    assert drawn.shape == (200, 5)
    assert (drawn.diff(dim=1) > 0).all()


@pytest.mark.parametrize("name", ["original", "originalr", "v0", "v0r"])
def test_autoaugment_has_timms_table(name):
    space, pairs = TIMM_POLICIES[name]
    theirs = timm.auto_augment_policy(name)
    assert len(pairs) == len(theirs) == 25
    for pair, other in zip(pairs, theirs, strict=True):
        for (operator, probability, magnitude), op in zip(pair, other, strict=True):
            assert (operator.lower(), probability) == (ours(op.name).lower(), op.prob)
            assert magnitude == op.magnitude or magnitude is None
            if op.name.startswith("Posterize"):
                kind = {"PosterizeOriginal": "timm_original", "PosterizeIncreasing": "timm_reversed"}
                assert space == kind.get(op.name, "timm")


def test_autoaugment_draws_magnitudes_as_timm():
    layer = A.AutoAugment.from_timm("original-mstd0.5")
    drawn = layer.params(layer.noise(torch.arange(COUNT)))
    level = layer.leaf_params(layer.noise(torch.arange(COUNT)))[0]["level"] * 10
    rows = layer.table[drawn["pair"].long()][:, 0, 2] / 1000
    inside = (rows > 2) & (rows < 8)
    apart = (level - rows)[inside]
    assert apart.mean().item() == pytest.approx(0, abs=0.02)
    assert apart.std().item() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("name", ["augmix", "augmix-m5-w4-d2", "augmix-m3-a0.5-mstd1", "augmix-m12-b0"])
def test_augmix_is_timms(name):
    theirs, layer = timm.augment_and_mix_transform(name), A.AugMix.from_timm(name)
    operators = layer.halves[0].operators
    assert [operator.name for operator in operators] == [ours(op.name) for op in theirs.ops]
    assert layer.width == theirs.width
    assert layer.longest == (theirs.depth if theirs.depth > 0 else 3)
    drawn = layer.params(layer.noise(torch.arange(4000)))
    level, expected = drawn["level"].double() * 10, magnitudes(theirs.ops[0])
    assert level.mean() == pytest.approx(expected.mean(), abs=0.1)
    assert level.std() == pytest.approx(expected.std(), abs=0.1)
    assert drawn["augmented"].var().item() == pytest.approx(1 / (4 * (2 * theirs.alpha + 1)), abs=0.01)  # Beta(a, a)


@pytest.mark.parametrize("make", [A.AutoAugment.from_timm, A.AugMix.from_timm])
@pytest.mark.parametrize("name", ["rand-m9", "", "original-", "augmix-", "augmix-b1", "v1", "original-m3", "augmix-x2"])
def test_other_names_are_refused(make, name):
    with pytest.raises(ValueError, match=r"(AutoAugment|AugMix).from_timm: name='.*' must look like"):
        make(name)


def test_random_interpolation_is_drawn_per_sample():
    """Half of the samples are interpolated bilinearly and half bicubically, as by layers with one mode."""
    ramp = torch.randint(0, 256, (1, 3, 24, 24), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    images = ramp.expand(64, -1, -1, -1)
    layer = A.RandAugment(1, 10, timm=True, op_p=1.0, operators=["Rotate"], resample="random")
    noise = layer.noise(torch.arange(64))
    out = layer(images, noise)
    same = []
    for mode in ("bilinear", "bicubic"):
        plain = A.RandAugment(1, 10, timm=True, op_p=1.0, operators=["Rotate"], resample=mode)
        same.append((plain(images, noise[:, : plain.draws]) - out).abs().flatten(1).amax(1) <= 1.01 / 255)
    assert (same[0] ^ same[1]).all()
    assert 15 < same[0].sum() < 49
