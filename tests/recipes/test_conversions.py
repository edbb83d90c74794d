"""Details that a conversion must preserve: units of fills, shapes, and tensors among the arguments."""

import inspect
from collections.abc import Callable

import kornia
import kornia.augmentation as K
import pytest
import torch
from torch import nn

import augment as A
from tests.conformance.catalogue import LAYERS, MIXES, draw, make
from tests.recipes.test_interop import KORNIA, MIXING, outcome

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
v2 = pytest.importorskip("torchvision.transforms.v2")
from torchvision import transforms as v1  # noqa: E402
from torchvision import tv_tensors  # noqa: E402

COLOUR = (124, 116, 104)
DARK = torch.full((4, 3, 32, 32), 0.1)

# fills


def filled(fill: object) -> dict[str, Callable[[], object]]:
    """Return transforms that show the fill somewhere in the image for every draw."""
    turn = {"degrees": (45, 45), "fill": fill}
    return {
        "RandomAffine": lambda: v2.RandomAffine(**turn),
        "RandomAffine, bilinear": lambda: v2.RandomAffine(**turn, interpolation=v2.InterpolationMode.BILINEAR),
        "RandomAffine, center": lambda: v2.RandomAffine(**turn, center=(4, 5)),
        "RandomRotation": lambda: v2.RandomRotation(**turn),
        "RandomRotation, center": lambda: v2.RandomRotation(**turn, center=(4, 5)),
        "RandomCrop": lambda: v2.RandomCrop((32, 64), padding=(32, 0), fill=fill),
        "RandomPerspective": lambda: v2.RandomPerspective(0.9, 1.0, fill=fill),
        "ElasticTransform": lambda: v2.ElasticTransform(900.0, fill=fill),
        "RandAugment": lambda: v2.RandAugment(9, 30, fill=fill),
        "TrivialAugmentWide": lambda: v2.TrivialAugmentWide(2, fill=fill),
        "AutoAugment": lambda: v2.AutoAugment(fill=fill),
        "AugMix": lambda: v2.AugMix(10, fill=fill),
        "first version": lambda: v1.RandomAffine(**turn),
    }


@pytest.mark.parametrize("name", filled(0))
@pytest.mark.parametrize("fill", [COLOUR, list(COLOUR), 124, 124.0, (0.4, 0.3, 0.2)], ids=str)
def test_fills_are_fractions_after_a_conversion(name, fill):
    converted = A.from_torchvision(filled(fill)[name]())
    out = torch.cat([converted(DARK.clone()) for _ in range(3)])
    assert out.min() >= 0
    assert out.max() <= 1
    if "Augment" in name or name == "AugMix":
        return  # their other operators change the colours
    largest = fill if isinstance(fill, (int, float)) else max(fill)
    assert out.max() == pytest.approx(largest / 255 if largest > 1 else largest, abs=2e-3)


@pytest.mark.parametrize("fill", [(0.4, 0.3, 0.2), 0.5, 0], ids=str)
def test_a_perspective_of_torchvision_is_filled_on_its_horizon(fill):
    """torchvision returns NaN there, in about one of 250 images with these settings."""
    theirs = v2.RandomPerspective(0.9, 1.0, fill=fill)
    nested = v2.Compose([v2.RandomApply([theirs], p=1.0), v2.RandomHorizontalFlip()])
    for converted in (A.from_torchvision(theirs), A.from_torchvision(nested)):
        for seed in range(30):
            torch.manual_seed(seed)
            assert converted(torch.rand(32, 3, 32, 32)).isfinite().all()


@pytest.mark.parametrize("fill", [COLOUR, (0.4, 0.3, 0.2)], ids=str)
def test_every_channel_shows_its_own_fill(fill):
    """Check the corner that a rotation by 45 degrees uncovers in a black image, with torchvision v1's convention."""
    expected = torch.tensor(fill) / (255 if max(fill) > 1 else 1)
    for name in ("RandomAffine", "RandomRotation", "RandomCrop", "first version"):
        converted = A.from_torchvision(filled(fill)[name]())
        outs = torch.cat([converted(torch.zeros(8, 3, 32, 32)) for _ in range(3)])
        corners = outs[:, :, [0, 0, -1, -1], [0, -1, 0, -1]].flatten(2).amax((0, 2))
        torch.testing.assert_close(corners, expected, rtol=0, atol=1e-6)


def test_a_crop_with_a_fill_per_channel_is_torchvisions():
    images = torch.rand(4, 3, 8, 8)
    theirs = v2.RandomCrop((12, 14), [2, 2, 4, 2], fill=COLOUR)  # the full size, so nothing is random
    converted = A.from_torchvision(theirs, strict=True)
    expected = v2.RandomCrop((12, 14), [2, 2, 4, 2], fill=[f / 255 for f in COLOUR])(images)
    torch.testing.assert_close(converted(images), expected, rtol=0, atol=1e-6)


BY_TYPE = [
    {tv_tensors.Image: 124, tv_tensors.Mask: 0},
    {torch.Tensor: 124, tv_tensors.Mask: 0},
    {"others": 124, tv_tensors.Mask: 0},
    {tv_tensors.Image: 124, "others": 0},
]


@pytest.mark.parametrize("fill", BY_TYPE, ids=str)
@pytest.mark.parametrize("name", ["RandomAffine", "RandomAffine, center", "RandomPerspective", "RandomCrop"])
def test_of_fills_by_type_images_get_theirs(name, fill):
    out = A.from_torchvision(filled(fill)[name]())(torch.zeros(4, 3, 32, 32))
    assert out.max() == pytest.approx(124 / 255, abs=1e-5)


@pytest.mark.parametrize("fill", [None, 0, {tv_tensors.Mask: 255}], ids=str)
@pytest.mark.parametrize("name", filled(0))
def test_no_fill_is_black(name, fill):
    if "Aug" in name or (isinstance(fill, dict) and name == "first version"):  # v1 does not accept a dict
        return
    assert A.from_torchvision(filled(fill)[name]())(torch.zeros(4, 3, 32, 32)).abs().max() == 0


def test_a_conversion_leaves_the_transform_as_it_was():
    theirs = v2.RandomAffine((45, 45), fill=COLOUR)
    A.from_torchvision(theirs)
    assert theirs.fill == COLOUR
    assert theirs._fill == {"others": [124.0, 116.0, 104.0]}


@pytest.mark.parametrize("version", [v1, v2])
@pytest.mark.parametrize("value", [COLOUR, list(COLOUR), 124, 0.4])
def test_what_erases_is_a_fraction(version, value):
    """The value has the unit of the image, like fills."""
    out = A.from_torchvision(version.RandomErasing(1.0, value=value))(torch.zeros(8, 3, 32, 32))
    largest = max(value) if isinstance(value, (tuple, list)) else value
    assert out.max() == pytest.approx(largest / 255 if largest > 1 else largest, abs=1e-6)


def test_fills_inside_of_a_container_that_runs_as_it_is():
    container = v2.RandomOrder([v2.RandomAffine((45, 45), fill=124), v2.Lambda(torch.abs, torch.Tensor)])
    mixed = v2.RandomChoice([v2.RandomAffine((45, 45), fill=COLOUR), container], p=[0.5, 0.5])
    for transform in (container, mixed, v1.RandomApply([v1.RandomAffine((45, 45), fill=COLOUR)], p=1.0)):
        assert A.from_torchvision(transform)(torch.zeros(8, 3, 32, 32)).max() <= 124 / 255 + 1e-6


def test_a_fill_that_is_never_seen_does_not_matter():
    images = torch.rand(2, 3, 9, 9)
    edges = A.from_torchvision(v2.Pad(2, fill=COLOUR, padding_mode="edge"), strict=True)
    assert torch.equal(edges(images), v2.Pad(2, padding_mode="edge")(images))
    assert type(A.from_torchvision(v2.RandomCrop(5, fill=COLOUR), strict=True)) is A.RandomCrop
    reflecting = K.RandomCrop((9, 9), 2, fill=torch.tensor([0.1, 0.2, 0.3]), padding_mode="reflect")
    assert type(A.from_kornia(reflecting, strict=True)) is A.RandomCrop


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_bytes_that_a_foreign_module_returns_are_fractions(dtype):
    layer = A.Opaque(lambda images: (images * 255).round().to(torch.uint8), random=False)
    images = torch.randint(0, 256, (2, 3, 5, 5), dtype=torch.uint8)
    given = images if dtype == torch.uint8 else images / 255
    torch.testing.assert_close(layer.eval()(given), images / 255)


# shapes


RESHAPING = [
    lambda: v2.Pad(4, fill=(10, 20, 30)),
    lambda: v2.Resize(8, interpolation=v2.InterpolationMode.LANCZOS),
    lambda: v2.RandomResizedCrop(8, interpolation=v2.InterpolationMode.LANCZOS),
    lambda: v2.RandomRotation(10, expand=True),
    lambda: v2.Compose([v2.RandomHorizontalFlip(), v2.Pad(4, fill=(10, 20, 30))]),
    lambda: v2.RandomOrder([v2.Pad(2), v2.RandomHorizontalFlip()]),
    lambda: v2.RandomChoice([v2.Pad(2), v2.RandomHorizontalFlip()]),
    lambda: v2.RandomApply([v2.Pad(2)]),
    lambda: v1.Pad(4),
    lambda: v1.RandomCrop(8),
    lambda: v1.Resize(8),
    lambda: v1.Grayscale(),
    lambda: v1.RandomRotation(10, expand=True),
    lambda: v1.FiveCrop(4),
    lambda: v1.ToTensor(),
    lambda: v1.RandomApply([v1.CenterCrop(8)]),
]


@pytest.mark.parametrize("build", RESHAPING, ids=lambda f: inspect.getsource(f).strip().removeprefix("lambda: "))
def test_what_changes_the_shape_is_refused_at_conversion(build):
    with pytest.raises(ValueError, match="from_torchvision: cannot convert"):
        A.from_torchvision(build())


KORNIA_RESHAPING = [
    lambda: K.RandomCrop((8, 8), 2, fill=torch.tensor([0.1, 0.2, 0.3])),
    lambda: K.RandomCrop((8, 8), 2, fill=(0.1, 0.2, 0.3)),
    lambda: K.ImageSequential(K.RandomCrop((8, 8)), K.RandomHorizontalFlip(), random_apply=(1, 5)),
    lambda: K.PatchSequential(K.RandomResizedCrop((8, 8)), patchwise_apply=False),
    lambda: kornia.geometry.transform.Resize((8, 8)),
    lambda: kornia.geometry.transform.PyrDown(),
    lambda: kornia.color.RgbToGrayscale(),
    lambda: kornia.color.RgbToRgba(1.0),
    lambda: kornia.filters.SpatialGradient(),
    lambda: nn.AvgPool2d(2),
    lambda: nn.Sequential(K.RandomHorizontalFlip(), nn.Conv2d(3, 8, 3)),
]


@pytest.mark.parametrize("build", KORNIA_RESHAPING, ids=lambda f: inspect.getsource(f).strip().removeprefix("lambda: "))
def test_what_of_kornia_changes_the_shape_is_refused_at_conversion(build):
    with pytest.raises(ValueError, match=r"from_kornia: cannot convert .* shape"):
        A.from_kornia(build())


def test_a_crop_to_a_size_in_a_choice_is_for_images_of_that_size():
    converted = A.from_torchvision(v2.RandomApply([v2.RandomCrop(32, padding=4)]))
    assert converted(DARK).shape == DARK.shape
    nested = A.from_torchvision(v2.RandomChoice([v2.RandomApply([v2.RandomCrop(32, padding=4)]), v2.Identity()]))
    assert nested(DARK).shape == DARK.shape
    with pytest.raises(ValueError, match="RandomApply: RandomCrop changes the size"):
        converted.out_size((40, 40))


def test_to_look_at_a_shape_leaves_the_module_and_the_generator_alone():
    norm = nn.BatchNorm2d(3)
    torch.manual_seed(0)
    layer = A.from_kornia(nn.Sequential(norm, nn.Dropout(0.5), kornia.filters.MedianBlur((3, 3))))
    assert [type(stage) for stage in layer.layers] == [A.Opaque] * 3
    assert norm.num_batches_tracked == 0
    assert layer.layers[0].module is norm
    drawn = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(drawn, torch.rand(1))


# tensors among the arguments


def declared(name: str) -> list[str]:
    """Return the arguments of our layer for which Kornia's signature allows a tensor."""
    known = {**KORNIA, **MIXING}[name]
    parameters = inspect.signature(getattr(K, name)).parameters
    return [argument for argument in known if "Tensor" in str(parameters[argument].annotation)]


WITH_TENSORS = [(name, argument) for name in [*KORNIA, *MIXING] for argument in declared(name)]
OURS = {"RandomMixUpV2": "RandomMixUp", "RandomCutMixV2": "RandomCutMix"}


def as_tensor(value: object) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.int64 if isinstance(value, list) else torch.float32)


def same(ours: A.Layer, expected: A.Layer, images: torch.Tensor) -> None:
    noise = draw(expected)
    assert torch.equal(outcome(ours, images, noise), outcome(expected, images, noise))
    assert ours.config() == expected.config()


def test_kornia_declares_tensors():
    assert len(WITH_TENSORS) > 40
    assert ("RandomAffine", "shear") in WITH_TENSORS


@pytest.mark.parametrize(("name", "argument"), WITH_TENSORS)
def test_a_recipe_with_tensors_stays_as_it_is(name, argument, photos):
    """The constructor of our layer accepts tensors, and its configuration is plain data."""
    arguments, images = {**KORNIA, **MIXING}[name], photos / 255
    cls = getattr(A, OURS.get(name, name))
    classes = {"num_classes": 8} if name in MIXING else {}
    written = cls(**arguments | {argument: as_tensor(arguments[argument])}, **classes)
    same(written, cls(**arguments, **classes), images)
    if isinstance(arguments[argument], tuple):
        several = tuple(torch.tensor(value) for value in arguments[argument])
        same(cls(**arguments | {argument: several}, **classes), cls(**arguments, **classes), images)


def random_quantities() -> list[tuple[str, str]]:
    """Return the arguments of all layers' examples that may be random, whether Kornia has the layer or not."""
    return [
        (name, argument)
        for name, cls in LAYERS.items()
        for argument, parameter in inspect.signature(cls).parameters.items()
        if "Quantity" in str(parameter.annotation) or "Distribution" in str(parameter.annotation)
        if isinstance(cls.example.get(argument, parameter.default), (int, float, tuple)) and argument != "p"
    ]


@pytest.mark.parametrize(("name", "argument"), random_quantities())
def test_a_range_as_a_tensor_is_the_same_range(name, argument, photos):
    arguments = make(name)._arguments[1]
    value = arguments.get(argument, inspect.signature(LAYERS[name]).parameters[argument].default)
    whole = torch.tensor(value).dtype == torch.int64
    given = torch.tensor(value, dtype=torch.int64 if whole else torch.float64)
    classes = {"num_classes": 8} if name in MIXES else {}
    same(make(name, **{argument: given}, **classes), make(name, **{argument: value}, **classes), photos / 255)


@pytest.mark.parametrize(("name", "argument"), WITH_TENSORS)
def test_a_module_with_tensors_converts(name, argument, photos):
    others = {"RandomFisheye": ("center_x", "center_y", "gamma"), "RandomGrayscale": ("rgb_weights",)}.get(name, ())
    plain = dict({**KORNIA, **MIXING}[name])
    plain |= {other: torch.tensor(plain[other]) for other in others}
    given = plain | {argument: as_tensor({**KORNIA, **MIXING}[name][argument])}
    classes = {"num_classes": 8} if name in MIXING else {}
    converted = A.from_kornia(getattr(K, name)(**given), strict=True, **classes)
    same(converted, A.from_kornia(getattr(K, name)(**plain), strict=True, **classes), photos / 255)


FILLED = {"fill_value": torch.tensor(0.4), "padding_mode": "fill"}
OF_SCALARS = [
    (lambda: K.ColorJitter(hue=[torch.tensor(-0.1), torch.tensor(0.2)]), lambda: A.ColorJitter(hue=(-0.1, 0.2))),
    (lambda: K.ColorJitter(brightness=torch.tensor(0.2)), lambda: A.ColorJitter(0.2)),
    (lambda: K.ColorJiggle(hue=(torch.tensor(-0.1), torch.tensor(0.2))), lambda: A.ColorJiggle(hue=(-0.1, 0.2))),
    (lambda: K.RandomRotation(torch.tensor(20.0)), lambda: A.RandomRotation(20.0)),
    (lambda: K.RandomAffine(torch.tensor([-10.0, 10.0])), lambda: A.RandomAffine((-10.0, 10.0))),
    (lambda: K.RandomShear(torch.tensor([[-9.0, 5.0], [-3.0, 4.0]])), lambda: A.RandomShear((-9.0, 5.0, -3.0, 4.0))),
    (lambda: K.RandomAffine(5, None, **FILLED), lambda: A.RandomAffine(5, fill_value=0.4)),
    (lambda: K.RandomRain((torch.tensor(20), torch.tensor(40))), lambda: A.RandomRain((20, 40))),
]  # fmt: skip


@pytest.mark.parametrize(("theirs", "ours"), OF_SCALARS, ids=lambda f: inspect.getsource(f).strip()[:60])
def test_tensors_of_one_number_and_of_two_dimensions_convert(theirs, ours, photos):
    converted, written = A.from_kornia(theirs(), strict=True), ours()
    noise = draw(written)
    assert torch.equal(outcome(converted, photos / 255, noise), outcome(written, photos / 255, noise))


def test_a_tensor_of_two_dimensions_is_two_ranges(photos):
    ranges = torch.tensor([[-9.0, 5.0], [-3.0, 4.0]])
    same(A.RandomShear(ranges), A.RandomShear(((-9.0, 5.0), (-3.0, 4.0))), photos / 255)
    assert A.RandomShear(ranges).config()["shear"] == [[-9.0, 5.0], [-3.0, 4.0]]


def test_what_a_tensor_made_is_written_and_read_again(tmp_path):
    import yaml
    from hydra.utils import instantiate

    pipeline = A.Pipeline(A.RandomRotation(torch.tensor([-0.3, 10.0])), A.Normalize(torch.tensor(0.5), 0.3), seed=3)
    pipeline.export(tmp_path / "a.yaml")
    read = instantiate(yaml.safe_load((tmp_path / "a.yaml").read_text()), _convert_="all")
    assert read.layers[0].config()["degrees"] == [-0.3, 10.0]
    images, noise = torch.rand(2, 3, 9, 9), pipeline.noise(torch.arange(2))
    assert torch.equal(read(images, noise), pipeline(images, noise))


def test_a_tensor_that_is_learned_names_the_remedy():
    learned = nn.Parameter(torch.tensor([-10.0, 30.0]))
    for build in (lambda: A.RandomRotation(learned), lambda: A.RandomShear((learned[0], learned[1]))):
        with pytest.raises(TypeError, match=r"Random\w+: (degrees|shear) .* write Uniform\(low, high, learnable"):
            build()
    assert list(A.from_kornia(K.RandomRotation(learned), strict=True).parameters())
