"""torch's resize of a box shows what the definition shows, and is used for crops, resizes and flips only."""

import pytest
import torch

import augment as A
from augment.geometry.interpolation import KERNELS
from augment.geometry.reach import footprint_of, window_of
from augment.kernels.reference.box_resizing import resized_boxes
from augment.kernels.reference.grid_sampling import resized
from augment.kernels.reference.warping import trace

RUNS = {
    "crop": [A.RandomResizedCrop(24)],
    "gated crop and flips": [A.RandomResizedCrop((20, 30), p=0.5), A.RandomHorizontalFlip(), A.RandomVerticalFlip()],
    "part of a resize": [A.Resize((40, 45)), A.RandomCrop(32), A.RandomHorizontalFlip()],
    "enlarged": [A.CenterCrop(20), A.Resize((70, 75))],
}


def run_of(layers, height=61, width=79, dtype=torch.float64):
    """Positions, window and footprint of a run for 12 images."""
    pipeline, like = A.Pipeline(*layers), torch.empty(12, 0, dtype=dtype)
    params = pipeline.leaf_params(pipeline.noise(torch.arange(12)).to(dtype))
    size, motions = (height, width), []
    for layer, drawn in zip(pipeline.leaves(), params, strict=True):
        motions.append(layer.motion(size, size, drawn, like))
        size = layer.out_size(size)
    x, y, _ = trace(motions, size)
    return x, y, window_of(motions), footprint_of(motions)


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("source", ["bytes", "channels_last", "floats", "packed"])
def test_it_is_the_definition(name, source):
    levels = torch.randint(0, 256, (12, 3, 61, 79), dtype=torch.uint8)
    images = {
        "bytes": levels,
        "channels_last": levels.contiguous(memory_format=torch.channels_last),
        "floats": levels / 255,
        "packed": A.PackedImages.from_images(list(levels)),
    }[source]
    made = resized_boxes(images, *run_of(RUNS[name], dtype=torch.float32))
    assert made is not None
    expected = resized(levels.double() / 255, *run_of(RUNS[name]), KERNELS["bilinear"])
    torch.testing.assert_close(made.double(), expected, rtol=0, atol=1e-5)


def test_positions_between_those_of_a_resize_are_another_operation():
    images, (x, y, window, footprint) = torch.rand(12, 3, 61, 79), run_of(RUNS["crop"], dtype=torch.float32)
    assert resized_boxes(images, x, y, window, footprint) is not None
    assert resized_boxes(images, x + 0.01, y, window, footprint) is None
    assert resized_boxes(images, x, y * 0.99, window, footprint) is None
    assert resized_boxes(images.requires_grad_(), x, y, window, footprint) is None
