"""docs/interop.md names everything that other libraries export, and its figures are true."""

import inspect
import operator
import os
import re
from pathlib import Path

import kornia
import kornia.augmentation as K
import pytest
import torch

import augment as A
from augment.recipes.interop.albumentations_geometry import GEOMETRY
from augment.recipes.interop.albumentations_pixels import PIXELS
from augment.recipes.interop.albumentations_recipes import CONTAINERS, REFUSED
from tests.recipes.interop import KORNIA, MIXING

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
v2 = pytest.importorskip("torchvision.transforms.v2")
DOCUMENT = Path(__file__).parents[2] / "docs" / "interop.md"


def documented(heading: str) -> dict[str, list[str]]:
    """Return the names in a table of the documentation with their equivalents."""
    section = DOCUMENT.read_text().split(f"## {heading}")[1].split("\n## ")[0]
    rows = {}
    for line in section.splitlines():
        if line.startswith("| `"):
            names, ours, reason = (cell.strip() for cell in line.strip("|").split("|"))
            ours = re.findall(r"`([\w.]+)`", ours)
            assert ours or reason, f"{names} has neither an equivalent nor a reason"
            rows |= dict.fromkeys(re.findall(r"`(\w+)`", names), ours)
    return rows


def test_every_name_of_kornia_is_documented():
    rows = documented("Kornia's names")
    assert set(rows) == {name for name in K.__all__ if not name.endswith("3D")}
    assert {ours for names in rows.values() for ours in names} <= set(A.__all__)


def test_every_name_of_torchvision_is_documented():
    rows = documented("torchvision's names")
    assert set(rows) == {name for name in dir(v2) if not name.startswith("_")}
    assert {ours for names in rows.values() for ours in names} <= set(A.__all__)


def test_every_name_of_albumentations_is_documented():
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # otherwise it asks the network for new versions
    library = pytest.importorskip("albumentations")
    assert library.__version__ == "2.0.8", "the last version under the MIT licence"
    rows = documented("albumentations' names")
    exported = {name for name, value in vars(library).items() if inspect.isclass(value) and name != "suppress"}
    assert set(rows) == exported
    assert {ours for names in rows.values() for ours in names} <= set(A.__all__)
    assert {name for name, ours in rows.items() if not ours} == (REFUSED.keys() | NOTHING | BASES) & exported


NOTHING = {"ToTensorV2", "NoOp", "BboxParams", "KeypointParams"}
BASES = {"BasicTransform", "DualTransform", "ImageOnlyTransform", "Transform3D", "BaseCompose"}


def test_every_transform_of_albumentations_converts_or_is_refused():
    assert not REFUSED.keys() & (CONTAINERS.keys() | GEOMETRY.keys() | PIXELS.keys())
    rows = documented("albumentations' names")
    converted = CONTAINERS.keys() | GEOMETRY.keys() | PIXELS.keys()
    assert {name for name, ours in rows.items() if ours} == converted - NOTHING


def test_every_transform_of_timm_is_documented():
    data = pytest.importorskip("timm.data")
    modules = ("transforms", "auto_augment", "random_erasing", "mixup", "naflex_transforms", "naflex_mixup")
    classes = {
        name
        for module in (getattr(data, name) for name in modules)
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module.__name__
    }
    section = DOCUMENT.read_text().split("## timm's recipes")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert classes <= {name for row in rows for name in re.findall(r"`(\w+)", row)}


def test_every_name_of_lightly_is_documented():
    rows = documented("lightly's names")
    assert set(rows) == set(LIGHTLY.split())
    for ours in {ours for names in rows.values() for ours in names}:
        assert operator.attrgetter(ours)(A)


LIGHTLY = """
AIMTransform AddGridTransform AmplitudeRescaleTransform BYOLTransform BYOLView1Transform BYOLView2Transform
CAPITransform DINOTransform DINOViewTransform DenseCLTransform DetConSTransform DetConSViewTransform FDATransform
FDAView1Transform FDAView2Transform FastSiamTransform GaussianBlur GaussianMixtureMask IBOTTransform IBOTViewTransform
IRFFT2DTransform Jigsaw MAETransform MMCRTransform MSNTransform MSNViewTransform MoCoV1Transform MoCoV2Transform
MultiViewTransformV2 PIRLTransform PhaseShiftTransform RFFT2DTransform RandomFrequencyMaskTransform RandomRotate
RandomRotateDegrees RandomSolarization SMoGTransform SimCLRTransform SimCLRViewTransform SimSiamTransform
SimSiamViewTransform SmoGViewTransform SwaVTransform SwaVViewTransform TiCoTransform TiCoView1Transform
TiCoView2Transform ToTensor VICRegLTransform VICRegLViewTransform VICRegTransform VICRegViewTransform WMSETransform
functional random_rotation_transform torchvision_transforms
"""
"""What `lightly.transforms` 1.6.0 exports; it is not installed, because nothing of it converts."""


def test_every_documented_equivalent_of_kornia_converts():
    tested = KORNIA.keys() | MIXING.keys()
    containers = {"AugmentationSequential", "ImageSequential", "VideoSequential", "auto"}
    rows = {name for name, ours in documented("Kornia's names").items() if ours}
    assert rows == tested | containers


# what the documentation says in figures

SPOT = (60.0, 50.0)


def spot() -> torch.Tensor:
    """Return an image with a bright spot, 128 by 128 pixels."""
    y, x = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    return torch.exp(-((x - SPOT[0]) ** 2 + (y - SPOT[1]) ** 2) / 32)[None, None]


def off_the_content(image: torch.Tensor, point: torch.Tensor) -> float:
    """Return the distance in pixels between a point and the centre of the bright spot."""
    y, x = torch.meshgrid(*(torch.arange(float(extent)) for extent in image.shape[-2:]), indexing="ij")
    weight = image[0, 0] / image.sum()
    return float(torch.hypot((x * weight).sum() - point[0], (y * weight).sum() - point[1]))


BILINEAR = {"interpolation": v2.InterpolationMode.BILINEAR}
KEYPOINTS = [
    (v2.RandomHorizontalFlip(1.0), 0.0, 0.0),
    (v2.Resize((64, 64)), 0.35, 0.0),
    (v2.Resize((32, 32)), 0.53, 0.0),
    (v2.Resize((256, 256)), 0.71, 0.0),
    (v2.Resize((64, 64), interpolation=v2.InterpolationMode.NEAREST), 0.0, 0.35),
    (v2.RandomRotation((30, 30), **BILINEAR), 0.37, 0.0),
    (v2.RandomRotation((90, 90), **BILINEAR), 1.0, 0.0),
    (v2.RandomAffine((0, 0), scale=(0.5, 0.5), **BILINEAR), 0.35, 0.0),
    (v2.RandomAffine((0, 0), scale=(1.5, 1.5), **BILINEAR), 0.35, 0.0),
    (v2.RandomAffine((0, 0), shear=(20, 20), **BILINEAR), 0.18, 0.0),
]


@pytest.mark.parametrize(("transform", "theirs", "ours"), KEYPOINTS, ids=lambda value: str(value)[:60])
def test_how_far_keypoints_are_from_their_content(transform, theirs, ours):
    from torchvision import tv_tensors

    points = tv_tensors.KeyPoints(torch.tensor([SPOT]), canvas_size=(128, 128))
    image, moved = transform(tv_tensors.Image(spot()), points)
    assert off_the_content(torch.as_tensor(image), torch.as_tensor(moved)[0]) == pytest.approx(theirs, abs=0.01)
    out = A.from_torchvision(transform, strict=True)(A.Batch(spot(), keypoints=torch.tensor([[SPOT]])))
    assert off_the_content(out.image, out.keypoints[0, 0]) == pytest.approx(ours, abs=0.01)


def test_a_perspective_from_the_same_corners_is_kornias_and_apart_from_torchvisions():
    """Use ramps to find where pixel x samples: at P(x) here and in Kornia, at P(x + 1/2) - 1/2 in torchvision."""
    side, count, means, most = 224, 40, [], []
    y, x = torch.meshgrid(torch.arange(float(side)), torch.arange(float(side)), indexing="ij")
    ramps = torch.stack([x, y, torch.ones_like(x)]).double().expand(count, -1, -1, -1)  # the ones mark the inside
    layer = A.RandomPerspective(0.5, p=1.0)
    noise = layer.noise(torch.arange(count)).double()
    corners = layer.resolve(layer.params(noise), (side, side))["corners"]
    start = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]).double().expand(count, 4, 2) * (side - 1)
    matrix = kornia.geometry.transform.get_perspective_transform(start, corners)
    kornias = kornia.geometry.transform.warp_perspective(ramps, matrix, (side, side), align_corners=True)
    ours = layer(ramps, noise)
    for i in range(count):
        points = start[i].tolist(), corners[i].tolist()
        theirs = v2.functional.perspective(ramps[i], *points, interpolation=v2.InterpolationMode.BILINEAR)
        inside = torch.stack([out[2] > 1 - 1e-6 for out in (ours[i], kornias[i], theirs)]).all(0)
        torch.testing.assert_close(ours[i][:, inside], kornias[i][:, inside], rtol=0, atol=1e-3)
        apart = torch.hypot(*(ours[i] - theirs)[:2, inside])
        means.append(apart.mean())
        most.append(apart.max())
    assert torch.stack(means).mean() == pytest.approx(0.27, abs=0.03)
    assert torch.stack(most).max() == pytest.approx(1.0, abs=0.3)
