"""Exported programs: one for all batch sizes and image sizes, of torch's own operators, equal to the model."""

import importlib.util

import pytest
import torch
from torch import Tensor, nn

from tests.unchecked import import_unchecked

A = import_unchecked("augment")

BATCHES = ((1, 200, 300), (3, 224, 224), (64, 40, 31), (2, 540, 960), (1, 1, 1))
"""(images, height, width)."""


def pictures(count: int, height: int, width: int) -> Tensor:
    """Returns uint8 noise, of which antialiasing makes the most different values."""
    numbers = torch.Generator().manual_seed(height)
    return torch.randint(0, 256, (count, 3, height, width), dtype=torch.uint8, generator=numbers)


def classifier() -> nn.Module:
    torch.manual_seed(0)
    head = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(A.Preprocess(32, A.IMAGENET_MEAN, A.IMAGENET_STD), head)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"crop": None, "resample": "bicubic"}, {"crop": None, "resample": "nearest"}],
    ids=["crop", "bicubic", "nearest"],
)
def test_one_program_preprocesses_all_sizes(arguments):
    preprocess = A.Preprocess(32, A.IMAGENET_MEAN, A.IMAGENET_STD, **arguments)
    program = A.export_program(preprocess).module()
    for shape in BATCHES:
        images = pictures(*shape)
        torch.testing.assert_close(program(images), preprocess(images), rtol=0, atol=1e-5)


def test_a_program_takes_decoded_images_and_keeps_the_mode_of_the_model():
    model = classifier().train()
    model[1][1].eval()  # a frozen layer stays frozen
    program = A.export_program(model, layout="bhwc")
    assert (model.training, model[1].training, model[1][1].training) == (True, True, False)
    images = pictures(5, 50, 70)
    with torch.no_grad():
        torch.testing.assert_close(program.module()(images.permute(0, 2, 3, 1)), model.eval()(images))


def test_a_program_holds_operators_of_torch_only():
    program = A.export_program(classifier())
    targets = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert not [name for name in targets if not name.startswith(("aten.", "<built-in"))]


class WithLabels(nn.Module):
    """Gives a pipeline labels, as a training step does."""

    def __init__(self, pipeline: nn.Module) -> None:
        super().__init__()
        self.pipeline = pipeline

    def forward(self, images: Tensor, labels: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        out = self.pipeline(A.Batch(images, label=labels), noise)
        return out.image, out.label


def test_noise_is_an_input_of_a_program():
    pipeline = A.Pipeline(
        A.RandomResizedCrop(24),
        A.RandomRotation(20),
        A.RandomChannelShuffle(p=0.5),
        A.CoarseDropout(p=0.5),
        A.RandomErasing(p=0.5, value="random"),
        A.RandomRain(p=0.5),
        A.RandomGaussianBlur(3, (0.5, 1.0), p=0.5),
        A.RandomAutoContrast(p=0.5),
        A.Normalize(0.5, 0.5),
    )
    program = A.export_program(pipeline, size=(40, 50)).module()
    for count in (1, 3, 64):
        images, noise = pictures(count, 40, 50), pipeline.noise(torch.arange(count))
        torch.testing.assert_close(program(images, noise), pipeline(images, noise), rtol=0, atol=1e-4)


def test_mixed_labels_leave_a_program():
    pipeline = A.Pipeline(A.RandomJigsaw(grid=(2, 2)), A.RandomMosaic(), A.ResizeMix(), A.RandomMixUp())
    model, batch = WithLabels(pipeline), torch.export.Dim("batch", min=1, max=4096)

    def inputs(count: int) -> tuple[Tensor, Tensor, Tensor]:
        return pictures(count, 16, 20), torch.eye(8)[torch.arange(count) % 8], pipeline.noise(torch.arange(count))

    program = torch.export.export(model, inputs(4), dynamic_shapes=({0: batch}, {0: batch}, {0: batch})).module()
    for count in (1, 3):
        torch.testing.assert_close(program(*inputs(count)), model(*inputs(count)), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        (lambda: "resnet18", {}, "model is a str; it must be a torch.nn.Module"),
        (lambda: A.Preprocess(8), {"size": 0}, "size=0 must be a positive whole number"),
        (lambda: A.Preprocess(8), {"layout": "chwb"}, "layout='chwb' must be one of bchw, bhwc"),
        (lambda: A.Preprocess(8), {"channels": 0}, "channels=0 must be a whole number from 1"),
        (lambda: A.Resize(8), {}, "give export_program a size=\\(height, width\\)"),
        (lambda: A.Pipeline(A.Resize((8, 8)), A.RandomRotation(9)), {}, "joined with a rotation"),
        (lambda: CountsWithLen(), {}, "CountsWithLen works only for the size of batch or image"),
    ],
)
def test_what_cannot_be_exported_is_refused(model, arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        A.export_program(model(), **arguments)


class CountsWithLen(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.reshape(len(images), -1)


@pytest.mark.skipif(importlib.util.find_spec("onnxruntime") is None, reason="needs onnxruntime and onnxscript")
def test_onnx_gives_the_same_for_all_sizes(tmp_path):
    import onnxruntime

    model = classifier().eval()
    torch.onnx.export(A.export_program(model), dynamo=True, verbose=False).save(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    for shape in BATCHES:
        images = pictures(*shape)
        with torch.no_grad():
            torch.testing.assert_close(
                torch.from_numpy(session.run(None, {name: images.numpy()})[0]), model(images), rtol=0, atol=1e-4
            )
