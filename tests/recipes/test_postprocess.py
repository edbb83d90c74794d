"""Modules after a network: they do what they say, and run in exported programs of any batch size."""

import runpy
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.unchecked import import_unchecked

A = import_unchecked("augment")

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "blur_background.py"
COLORS = [(0, 0, 0), (255, 0, 0), (10, 20, 30)]


def ramp(height: int, width: int) -> Tensor:
    """Returns maps (2, 2, height, width) of the positions of pixels in [0, 1], the second sample turned around."""
    rows = ((torch.arange(height) + 0.5) / height)[:, None].expand(height, width)
    columns = ((torch.arange(width) + 0.5) / width).expand(height, width)
    return torch.stack([torch.stack([rows, columns]), torch.stack([1 - rows, 1 - columns])])


def program_of(module: torch.nn.Module, *inputs: Tensor) -> torch.nn.Module:
    batch = torch.export.Dim("batch", min=1, max=4096)
    return torch.export.export(module, inputs, dynamic_shapes=tuple({0: batch} for _ in inputs)).module()


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "none"])
def test_the_highest_classes_come_first(activation):
    scores = torch.randn(5, 9, generator=torch.Generator().manual_seed(0))
    module = A.TopClasses(3, activation)
    values, classes = module(scores)
    made = {"softmax": scores.exp() / scores.exp().sum(1, keepdim=True), "sigmoid": 1 / (1 + (-scores).exp())}
    expected = made.get(activation, scores)
    assert classes.tolist() == [sorted(range(9), key=lambda n, row=row: -row[n])[:3] for row in scores.tolist()]
    torch.testing.assert_close(values, expected.gather(1, classes))
    for given, wanted in zip(program_of(module, scores)(scores[:1]), module(scores[:1]), strict=True):
        torch.testing.assert_close(given, wanted)


def test_a_mask_becomes_an_image():
    numbers = torch.tensor([[[0, 1, 2], [2, 9, -1]]])
    image = A.MaskToImage(COLORS)(numbers)
    assert image.dtype == torch.uint8
    assert image.permute(0, 2, 3, 1).tolist() == [
        [[[0, 0, 0], [255, 0, 0], [10, 20, 30]], [[10, 20, 30], [10, 20, 30], [0, 0, 0]]]
    ]
    scores = torch.nn.functional.one_hot(numbers.clamp(0, 2), 3).permute(0, 3, 1, 2).float()
    assert torch.equal(A.MaskToImage(COLORS)(scores), image)
    two = scores.repeat(2, 1, 1, 1)
    assert torch.equal(program_of(A.MaskToImage(COLORS), two)(scores), image)


def test_maps_go_back_to_the_size_of_the_image():
    preprocess, original = A.Preprocess(64, crop=None), ramp(90, 150)
    back = A.ResizeBack(preprocess)(preprocess(original), original)
    torch.testing.assert_close(back[..., 3:-3, 3:-3], original[..., 3:-3, 3:-3], rtol=0, atol=2e-3)
    for size in ((90, 150), (40, 50), (64, 64)):
        everywhere = A.ResizeBack(preprocess)(torch.ones(1, 1, 64, 64), torch.zeros(1, 3, *size))
        torch.testing.assert_close(everywhere, torch.ones(1, 1, *size))  # up to the border


def test_one_program_takes_maps_back_to_all_sizes():
    back, maps = A.ResizeBack(A.Preprocess(16, crop=None)), torch.rand(2, 2, 16, 16)
    batch = torch.export.Dim("batch", min=1)
    height, width = (torch.export.Dim(side, max=2**16) for side in ("height", "width"))
    free = ({0: batch}, {0: batch, 2: height, 3: width})
    program = torch.export.export(back, (maps, torch.zeros(2, 3, 29, 37)), dynamic_shapes=free).module()
    for size in ((40, 20), (9, 70)):
        images = torch.zeros(1, 3, *size)
        torch.testing.assert_close(program(maps[:1], images), back(maps[:1], images), rtol=0, atol=1e-5)


def test_what_a_crop_has_cut_off_is_nothing():
    preprocess, original = A.Preprocess(64, crop=0.5), torch.ones(1, 1, 120, 160)
    back = A.ResizeBack(preprocess)(preprocess(original), original)[0, 0]
    rows, columns = back.amax(1), back.amax(0)
    assert (rows[:28] == 0).all()  # the crop keeps 60 x 60 pixels in the middle
    assert (columns[:48] == 0).all()
    assert (back[32:88, 52:108] > 0.99).all()


def test_the_example_blurs_the_background_and_only_that():
    images = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    images[:, 0, :, :32] = 255  # a red foreground
    images[:, 1, :, 32::2] = 200  # before green stripes
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., :16] = 1
    found = runpy.run_path(str(EXAMPLE))
    out = found["BlurBackground"](found["A"].Preprocess(32, crop=None), sigma=4.0).eval()(images, mask)
    assert torch.equal(out[..., :28], images[..., :28])
    assert out[:, 1, :, 40:].float().std() < 5 < images[:, 1, :, 40:].float().std()
    assert out[:, 0, :, 36:].max() <= 5  # only the soft edge of the mask shines into the background; 40 otherwise


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: A.TopClasses(0), "TopClasses: k=0 must be"),
        (lambda: A.TopClasses(2, "tanh"), "activation='tanh' must be one of softmax, sigmoid, none"),
        (lambda: A.TopClasses(4)(torch.zeros(1, 3)), "k=4 must be at most the number of classes, 3"),
        (lambda: A.MaskToImage([]), "colors must be a list of \\(red, green, blue\\)"),
        (lambda: A.MaskToImage([(1, 2)]), "colors must be a list of \\(red, green, blue\\)"),
        (lambda: A.MaskToImage([(1, 2, 256)]), "colors=256 must be"),
        (lambda: A.ResizeBack(torch.nn.Identity()), "preprocess is a Identity; it must be a layer"),
    ],
)
def test_wrong_arguments_are_refused(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()
