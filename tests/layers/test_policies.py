"""Policies: every operator is torchvision's, every sample has its own, and what is explained is what was done."""

import itertools
import math

import pytest
import torch
import torchvision.transforms.v2 as tv
from torchvision.transforms import AutoAugmentPolicy

import augment as A
from augment.layers.policies.operators import SPACES, space
from augment.layers.policies.slot import SlotPixels, SlotWarp

SIZE = (61, 75)


def picture() -> torch.Tensor:
    y, x = torch.meshgrid(torch.linspace(0, 1, SIZE[0]), torch.linspace(0, 1, SIZE[1]), indexing="ij")
    waves = torch.stack([torch.sin(9 * x + 4 * y), torch.cos(7 * x * y + 1), torch.sin(5 * y - 8 * x)])
    noise = torch.randn(3, *SIZE, generator=torch.Generator().manual_seed(0))
    return ((waves * 0.4 + 0.5) * 255 + 8 * noise).clamp(0, 255).to(torch.uint8)


TORCHVISION = {
    "randaugment": (tv.RandAugment(), 31),
    "trivialaugment_wide": (tv.TrivialAugmentWide(), 31),
    "autoaugment": (tv.AutoAugment(), 10),
    "augmix": (tv.AugMix(), 10),
}
FLOAT_TIES = {("trivialaugment_wide", "TranslateX", 15), ("trivialaugment_wide", "TranslateY", 15)}
"""torchvision's linspace gives 15.999999 for 16 pixels there, and cuts it to 15."""


@pytest.mark.parametrize("name", TORCHVISION)
def test_every_operator_at_every_magnitude_is_torchvisions(name):
    """All samples of one batch, each another (operator, magnitude, sign): within one level of torchvision's result.

    Two roundings are left out: pixels whose source lies within 1e-3 of halfway between two pixels, and levels within
    1e-3 of Solarize's threshold.
    """
    theirs, bins = TORCHVISION[name]
    operators, image = space(name), picture()
    table = theirs._AUGMENTATION_SPACE
    cases = []
    for i, operator in enumerate(operators):
        magnitudes, signed = table.get(operator.name, (lambda *_: None, False))
        values = magnitudes(bins, *SIZE)
        for level, sign in itertools.product(
            range(bins if values is not None else 1), (1.0, -1.0) if signed else (1.0,)
        ):
            if (name, operator.name, level) not in FLOAT_TIES:
                cases.append((i, level, sign, 0.0 if values is None else float(values[level]) * sign))
    assert {operator.name for operator in operators} >= set(table)
    params = {
        "op": torch.tensor([float(case[0]) for case in cases]),
        "level": torch.tensor([case[1] / (bins - 1) for case in cases]),
        "sign": torch.tensor([case[2] for case in cases]),
    }
    warp, pixels = SlotWarp(operators, "nearest", 0.0), SlotPixels(operators)
    batch = A.Batch(image.expand(len(cases), -1, -1, -1))
    motion = warp.motion(SIZE, SIZE, params, torch.zeros(len(cases), 0))
    batch = pixels.transform(warp.transform(batch, [params], [warp], torch.uint8), [params], [pixels], torch.uint8)
    ours, tied = batch.image, ties(motion.matrix)
    for k, (i, _, _, magnitude) in enumerate(cases):
        expected = theirs._apply_image_or_video_transform(
            image, operators[i].name, magnitude, tv.InterpolationMode.NEAREST, theirs._fill
        )
        difference = (ours[k].int() - expected.int()).abs()
        difference[:, tied[k]] = 0
        if operators[i].name == "Solarize":
            difference[(image - 255 * magnitude).abs() < 1e-3] = 0
        assert difference.max() <= 1, (operators[i].name, magnitude)


def ties(matrix: torch.Tensor) -> torch.Tensor:
    """(B, H, W): whether a pixel's source lies halfway between two pixels."""
    y, x = torch.meshgrid(*(torch.arange(float(n)) for n in SIZE), indexing="ij")
    source = torch.stack([x, y, torch.ones_like(x)], -1) @ matrix[:, None, :2].mT
    return ((source - source.floor() - 0.5).abs() < 1e-3).any(-1)


def test_timms_space_gets_stronger_with_the_level():
    scales = SPACES["timm_increasing"]
    level, sign = torch.tensor([0.0, 0.5, 1.0]), torch.ones(3)
    values = {name: scale(level, sign, (331, 200)).tolist() for name, scale in scales.items()}
    assert values["Posterize"] == [4, 2, 0]
    assert values["Solarize"] == [256, 128, 0]
    assert values["SolarizeAdd"] == [0, 55, 110]
    assert values["Rotate"] == [0, 15, 30]
    assert values["TranslateX"] == [0, 45, 90]
    assert values["Brightness"] == pytest.approx([1, 1.45, 1.9])
    assert scales["Color"](level, -sign, (9, 9)).tolist() == pytest.approx([1, 0.55, 0.1])


def explained(layer: A.Layer, noise: torch.Tensor) -> list[tuple[str, float]]:
    """The operators that a sample gets, with their values."""
    told = layer.explain(noise, SIZE)["layers"]
    return [(entry["operator"], entry["value"]) for entry in told if "operator" in entry and entry["applied"]]


def test_every_sample_has_its_own_policy():
    layer = A.RandAugment(n=2, m=9)
    policies = [explained(layer, row) for row in layer.noise(torch.arange(256))]
    assert {len(policy) for policy in policies} == {2}
    assert len({tuple(name for name, _ in policy) for policy in policies}) >= 100
    rotations = {round(value, 3) for policy in policies for name, value in policy if name == "Rotate"}
    assert rotations == {-9, 9}, "degrees, 9 / 30 of 30"


@pytest.mark.parametrize("build", [lambda: A.RandAugment(2, 9), lambda: A.TrivialAugmentWide()], ids=["RA", "TA"])
def test_operators_are_equally_frequent(build):
    """Chi-square over 14 operators: mean 13, standard deviation 5.1; 5 of them is 39."""
    layer, samples = build(), 4000
    counts = torch.zeros(14)
    for params in layer.leaf_params(layer.noise(torch.arange(samples)))[::2]:
        counts += torch.bincount(params["op"].long(), minlength=14)
    expected = counts.sum() / 14
    assert ((counts - expected) ** 2 / expected).sum() < 39
    assert (params["sign"] == 1).float().mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    "build",
    [lambda: A.RandAugment(2, 9), lambda: A.TrivialAugmentWide(), lambda: A.AutoAugment("imagenet")],
    ids=["RA", "TA", "AA"],
)
def test_what_is_explained_is_what_was_done(build):
    layer, image, theirs = build(), picture(), tv.RandAugment()
    noise = layer.noise(torch.arange(128))
    out = (layer(image.expand(128, -1, -1, -1), noise) * 255).round().to(torch.uint8)
    compared = 0
    for row, ours in zip(noise, out, strict=True):
        policy = explained(layer, row)
        if any(name in ("ShearX", "ShearY", "Rotate", "Solarize") for name, _ in policy):
            continue  # rounding at ties, tested above
        expected = image
        for name, value in policy:
            shift = 1 if name in ("Brightness", "Color", "Contrast", "Sharpness") else 0
            expected = theirs._apply_image_or_video_transform(
                expected, name, value - shift, tv.InterpolationMode.NEAREST, theirs._fill
            )
        differing = ((ours.int() - expected.int()).abs() > 1).float().mean()
        assert differing <= (0.01 if len(policy) > 1 else 0), policy  # a second operator may amplify a level
        compared += 1
    assert compared > 30


def test_floats_are_levels_afterwards_but_for_samples_that_get_no_step():
    layer = A.RandAugment(operators=["Identity", "Posterize"], n=1, m=30)
    images = torch.rand(64, 3, 9, 9)
    noise = layer.noise(torch.arange(64))
    out, drawn = layer(images, noise), layer.leaf_params(noise)[1]["op"]
    levels = (images * 255).round() * torch.tensor(1 / 255)
    assert torch.equal(out[drawn == 0], levels[drawn == 0])
    assert not torch.isclose(out[drawn == 1], images[drawn == 1], atol=1 / 255).all()
    half = A.RandAugment(p=0.5)
    noise = half.noise(torch.arange(64))
    left_out = ~half.leaf_params(noise)[1]["gate"]
    assert 0 < left_out.sum() < 64
    assert torch.equal(half(images, noise)[left_out], images[left_out])


def test_magnitudes_vary_with_mstd():
    layer = A.RandAugment(m=9, mstd=0.5, increasing=True)
    level = layer.leaf_params(layer.noise(torch.arange(4000)))[0]["level"] * 10
    assert level.mean() == pytest.approx(9, abs=0.05)
    assert level.std() == pytest.approx(0.5, abs=0.05)
    uniform = A.RandAugment(m=9, mstd=math.inf, increasing=True)
    level = uniform.leaf_params(uniform.noise(torch.arange(4000)))[0]["level"] * 10
    assert level.max() == pytest.approx(9, abs=0.02)
    assert level.mean() == pytest.approx(4.5, abs=0.2)


def test_timms_names():
    layer = A.RandAugment.from_timm("rand-m7-n3-mstd0.5-inc1")
    assert layer.n == 3
    assert layer.slot.p.probability() == 0.5
    assert layer.slot.level.mean.initial == (0.7,)
    for wrong in ("rand-x9", "augmix-m3", "rand-m9-t3a", "rand-m9.5"):
        with pytest.raises(ValueError, match="must look like"):
            A.RandAugment.from_timm(wrong)


@pytest.mark.parametrize("policy", ["imagenet", "cifar10", "svhn"])
def test_autoaugments_tables_are_torchvisions(policy):
    theirs = tv.AutoAugment(AutoAugmentPolicy(policy))._policies
    names = [operator.name for operator in space("autoaugment")]
    ours = [
        [(names[op], chance / 1000, level / 1000) for op, chance, level in pair]
        for pair in A.AutoAugment(policy).table.tolist()
    ]
    assert ours == [[(name, p, level or 0) for name, p, level in pair] for pair in theirs]


def test_autoaugments_pairs_and_probabilities():
    layer = A.AutoAugment("imagenet")
    params = layer.leaf_params(layer.noise(torch.arange(20_000)))
    pair = layer.params(layer.noise(torch.arange(20_000)))["pair"]
    assert torch.bincount(pair.long()).float().std() / 800 < 0.1
    mine = pair == 7  # Posterize with 0.6, twice
    assert params[0]["gate"][mine].float().mean() == pytest.approx(layer.table[7, 0, 1].item() / 1000, abs=0.06)
    assert params[2]["gate"][mine].float().mean() == pytest.approx(layer.table[7, 1, 1].item() / 1000, abs=0.06)


def test_augmix_mixes_chains_with_the_image():
    layer = A.AugMix(severity=3)
    drawn = layer.params(layer.noise(torch.arange(5000)))
    weights = torch.stack(layer._weights(drawn))
    torch.testing.assert_close(weights.sum(0), torch.ones(5000))
    torch.testing.assert_close(weights.mean(1), torch.full((3,), 1 / 3), rtol=0, atol=0.02)
    assert weights.var(1).tolist() == pytest.approx([1 / 18] * 3, abs=0.005), "of a Dirichlet(1, 1, 1)"
    assert set(drawn["depth"].unique().tolist()) == {1, 2, 3}
    assert drawn["level"].max() == pytest.approx(2 / 9)
    constant = torch.full((8, 3, 12, 12), 0.6)
    only_geometry = A.AugMix(all_ops=False, fill=0.6)
    assert only_geometry(constant).min() >= 0


def test_three_augment_takes_one_of_three():
    layer = A.ThreeAugment()
    gates = torch.stack([p["gate"] for p in layer.leaf_params(layer.noise(torch.arange(3000)))[:3]]).float()
    assert (gates.sum(0) == 1).all()
    assert gates.mean(1).tolist() == pytest.approx([1 / 3] * 3, abs=0.03)


def test_annotations_follow_the_geometric_operators():
    layer = A.RandAugment(n=2, m=8, operators=["ShearX", "TranslateY", "Rotate", "Posterize"])
    points = torch.tensor([[[30.0, 25.0]]]).expand(32, 1, 2)
    image = torch.zeros(32, 3, *SIZE)
    image[:, :, 23:28, 28:33] = 1
    out = layer(A.Batch(image, keypoints=points, mask=image[:, 0].long()))
    for bright, point, mask in zip(out.image[:, 0], out.keypoints[:, 0], out.mask, strict=True):
        ys, xs = (bright > 0.5).nonzero().float().unbind(1)
        torch.testing.assert_close(point, torch.stack([xs.mean(), ys.mean()]), rtol=0, atol=0.6)
        assert ((bright > 0.5) == (mask == 1)).all()


def test_augmix_tells_its_operators(photos):
    layer = A.AugMix(severity=10)
    noise = layer.noise(torch.arange(50))
    for row in noise:
        (told,) = layer.explain(row, (29, 37))["layers"]
        drawn = layer.params(row[None])
        assert [len(chain["operators"]) for chain in told["chains"]] == drawn["depth"][0].int().tolist()
        assert told["image"] + sum(chain["weight"] for chain in told["chains"]) == pytest.approx(1)
        first = told["chains"][0]["operators"][0]
        assert first["operator"] == layer.operators[int(drawn["op"][0, 0])].name
        if first["operator"] == "Rotate":
            assert first["value"] == pytest.approx(30 * float(drawn["level"][0, 0] * drawn["sign"][0, 0]))
        if first["operator"] == "Posterize":
            assert first["value"] == 4 - int(4 * float(drawn["level"][0, 0]) + 0.5)  # of 8 bits, as torchvision


def test_augmix_that_never_acts_is_not_executed(photos, monkeypatch):
    idle = A.Pipeline(A.AugMix(p=0.0), A.RandomRotation(20.0))
    noise, rotation = idle.noise(torch.arange(8)), idle.layers[1]
    torch.testing.assert_close(idle(photos, noise), rotation(photos, noise[:, -rotation.draws :]))
    assert idle.leaves() == [rotation], "compiled code would compute it for every sample"
    monkeypatch.setattr(A.AugMix, "_mixed", None)
    assert torch.equal(A.AugMix(p=0.0)(photos), photos * torch.tensor(1 / 255))
    idle(photos)


def test_augmix_works_on_the_chosen_samples_only(photos, monkeypatch):
    layer, seen, mixed = A.AugMix(p=0.5), [], A.AugMix._mixed
    noise = layer.noise(torch.arange(8))
    gate = layer.params(noise)["gate"]
    out = layer(photos, noise)
    monkeypatch.setattr(
        A.AugMix, "_mixed", lambda self, before, *rest: seen.append(len(before)) or mixed(self, before, *rest)
    )
    assert torch.equal(layer(photos, noise), out)
    assert sum(seen) == gate.sum()
    assert torch.equal(out[~gate], photos[~gate] * torch.tensor(1 / 255))
    always = A.AugMix()
    torch.testing.assert_close(out[gate], always(photos, noise[:, 1:])[gate])
