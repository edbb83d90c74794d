"""Tensors among the arguments of Kornia's modules convert, and the modules stay as they are."""

import inspect

import kornia.augmentation as K
import pytest
import torch
from torch import nn

import augment as A
from tests.conformance.catalogue import LAYERS, MIXES, draw, make
from tests.recipes.interop import KORNIA, MIXING, outcome

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
v2 = pytest.importorskip("torchvision.transforms.v2")


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
    classes = {"num_classes": 8} if name in MIXES and not LAYERS[name].keeps_labels else {}
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
