"""What Kornia and torchvision fill with becomes the same colour after a conversion."""

from collections.abc import Callable

import kornia.augmentation as K
import pytest
import torch

import augment as A

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
v2 = pytest.importorskip("torchvision.transforms.v2")
from torchvision import transforms as v1  # noqa: E402
from torchvision import tv_tensors  # noqa: E402

COLOUR = (124, 116, 104)
DARK = torch.full((4, 3, 32, 32), 0.1)


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
