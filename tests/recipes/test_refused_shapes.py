"""What changes an image's shape is refused at conversion."""

import inspect

import kornia
import kornia.augmentation as K
import pytest
import torch
from torch import nn

import augment as A

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
v2 = pytest.importorskip("torchvision.transforms.v2")
from torchvision import transforms as v1  # noqa: E402

DARK = torch.full((4, 3, 32, 32), 0.1)


RESHAPING = [
    lambda: v2.Resize(8, interpolation=v2.InterpolationMode.LANCZOS),
    lambda: v2.RandomResizedCrop(8, interpolation=v2.InterpolationMode.LANCZOS),
    lambda: v2.RandomRotation(10, expand=True),
    lambda: v2.Compose([v2.RandomHorizontalFlip(), v2.RandomRotation(10, expand=True)]),
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
