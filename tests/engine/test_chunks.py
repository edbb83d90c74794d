"""Large batches on a CPU go through the layers in chunks, to the same bits."""

import pytest
import torch

import augment as A
from augment.engine import chunks, execution
from augment.engine.execution import execute_whole
from augment.kernels.cpu import library
from tests.conformance import catalogue


@pytest.fixture
def small_chunks(monkeypatch):
    """Two samples at a time; counts them."""
    monkeypatch.setattr(chunks, "_PER_THREAD", 1)
    lengths = []
    run = execution.run

    def counting(stages, dtype, batch, params):
        if stages[0].leaves[0].by_sample:
            lengths.append(len(batch))
        return run(stages, dtype, batch, params)

    monkeypatch.setattr(execution, "run", counting)
    return lengths


def images(count: int = 7) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, 24, 30), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def everything() -> A.Pipeline:
    return A.Pipeline(
        A.RandomResizedCrop(20),
        A.RandomRotation(30.0, p=0.5),
        A.RandAugment(),
        A.ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8),
        A.RandomErasing(p=0.5),
        compile=False,
    )


def whole(pipeline: A.Pipeline, batch: object, noise: torch.Tensor | None, monkeypatch) -> object:
    with monkeypatch.context() as patch:
        patch.setattr(chunks, "_PER_THREAD", 1 << 40)
        patch.setattr(chunks, "_MOST", 1 << 40)
        return pipeline(batch, noise)


def test_the_same_bits_with_every_annotation(small_chunks, monkeypatch):
    pipeline, count = everything(), 7
    batch = A.Batch(
        images(count),
        label=torch.arange(count),
        mask=torch.randint(0, 3, (count, 2, 24, 30)),
        boxes=torch.tensor([[2.0, 3.0, 20.0, 18.0]]).expand(count, 1, 4),
        keypoints=torch.rand(count, 3, 2) * 20,
        index=torch.arange(count),
    )
    noise = pipeline.noise(batch.index)
    expected = whole(pipeline, batch, noise, monkeypatch)
    assert small_chunks == [7]
    out = pipeline(batch, noise)
    assert small_chunks == [7, 2, 2, 3]
    assert out.parts().keys() == expected.parts().keys()
    for name, part in out.parts().items():
        assert torch.equal(part, getattr(expected, name)), name
    assert out.image.is_contiguous(memory_format=torch.channels_last)


def test_packed_images(small_chunks, monkeypatch):
    sizes = [(20, 31), (17, 23), (40, 12), (9, 9), (26, 30)]
    packed = A.PackedImages.from_images([torch.randint(0, 256, (3, *size), dtype=torch.uint8) for size in sizes])
    pipeline = everything()
    noise = pipeline.noise(torch.arange(5))
    expected = whole(pipeline, packed, noise, monkeypatch)
    assert torch.equal(pipeline(packed, noise), expected)
    assert small_chunks == [5, 2, 3]


def test_evaluation(small_chunks, monkeypatch):
    preprocess = A.Preprocess(size=16).eval()
    expected = whole(preprocess, images(), None, monkeypatch)
    assert torch.equal(preprocess(images()), expected)
    assert small_chunks == [7, 2, 2, 3]


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_what_is_around_a_mix_goes_in_chunks(training, small_chunks):
    mixes = (A.RandomMixUp(num_classes=7, p=0.5), A.RandomErasing(p=0.5))
    pipeline = A.Pipeline(A.RandomResizedCrop(20), A.Resize(18), A.ColorJitter(0.4), *mixes, dtype="bfloat16")
    pipeline.train(training)
    batch = A.Batch(images(), label=torch.arange(7), index=torch.arange(7))
    noise = pipeline.noise(batch.index) if training else None
    expected = execute_whole(A.Pipeline(*pipeline.layers, dtype="bfloat16").train(training), batch, noise)
    small_chunks.clear()
    for _ in range(2):
        out = pipeline(batch, noise)
        assert torch.equal(out.image, expected.image)
        assert torch.equal(out.label, expected.label)
    assert small_chunks == [2, 2, 3] * (4 if training else 2)  # nothing after the mix is left to do in evaluation
    assert out.image.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", catalogue.MIXES)
def test_mixes_go_in_chunks_once_everybody_has_a_partner(name, small_chunks, monkeypatch):
    layer, lengths = catalogue.make(name, p=0.5), []
    mixed = type(layer).mixed

    def counting(self, batch, others, drawn):
        lengths.append((len(batch), len(others)))
        return mixed(self, batch, others, drawn)

    monkeypatch.setattr(type(layer), "mixed", counting)
    batch = catalogue.as_batch(images().float() / 255)
    boxes = torch.tensor([[2.0, 3.0, 20.0, 18.0]]) + torch.arange(7)[:, None, None]
    batch = batch.replace(boxes=boxes, keypoints=torch.rand(7, 3, 2) * 20, index=torch.arange(7))
    batch = batch.replace(boxes_visible=torch.ones(7, 1), keypoints_visible=torch.ones(7, 3) > 0)
    noise = layer.noise(batch.index)
    expected = whole(layer, batch, noise, monkeypatch)
    assert lengths.pop() == (7, 7)
    # a kernel lays images over others in one pass, without memory for anything else
    over = layer.overlay(layer.resolve(layer.paired(layer.params(noise)), batch.size), batch.size)
    expected_lengths = [(2, 7), (2, 7), (3, 7)] if over is None or not library.AVAILABLE else [(7, 7)]
    for pipeline in (layer, A.Pipeline(layer), A.Pipeline(A.Pipeline(layer))):
        out = pipeline(batch, noise)
        assert lengths == expected_lengths
        lengths.clear()
        assert out.parts().keys() == expected.parts().keys()
        for part, value in out.parts().items():
            assert torch.equal(value, getattr(expected, part)), part
        assert out.image.is_contiguous(memory_format=torch.channels_last)


def test_the_same_mix_twice_mixes_twice(small_chunks):
    mix = A.RandomMixUp(p=1.0)
    batch = catalogue.as_batch(images().float() / 255)
    pipeline = A.Pipeline(mix, mix)
    noise = pipeline.noise(torch.arange(7))
    once = mix(batch, noise[:, : mix.draws])
    assert torch.equal(pipeline(batch, noise).image, mix(once, noise[:, mix.draws :]).image)


def test_chunks_fold_warps_as_a_whole_batch_does(small_chunks, monkeypatch):
    """One draw for all may come among others: their images are sampled once all the same."""
    rotation = A.RandomRotation(30.0, p=1.0, same_on_batch=True)
    pipeline = A.Pipeline(A.RandomResizedCrop(20), rotation, A.RandomMixUp(num_classes=7))
    batch = A.Batch(images(), label=torch.arange(7), index=torch.arange(7))
    noise = pipeline.noise(batch.index)
    assert torch.equal(pipeline(batch, noise).image, execute_whole(pipeline, batch, noise).image)


@pytest.mark.parametrize(
    ("layer", "lengths"),
    [
        (A.RandomRotation(30.0, p=1.0, same_on_batch=True), [2, 2, 3]),
        (A.OneOf([A.RandomGamma((0.5, 2.0), same_on_batch=True), A.RandomInvert()]), [2, 2, 3]),
        (A.Opaque(lambda image: image - image.mean(0, keepdim=True), random=False), []),
        (A.RandomGamma(A.Uniform(0.5, 2.0, learnable=True)), [7]),
    ],
    ids=["one draw", "one draw in a choice", "a module that sees the batch", "learned"],
)
def test_what_depends_on_the_batch_sees_all_of_it(layer, lengths, small_chunks, monkeypatch):
    """One draw for all is drawn before the batch is cut; where a gradient is recorded, chunks would save nothing."""
    batch = A.Batch(images(), label=torch.arange(7), index=torch.arange(7))
    out = A.Pipeline(layer)(batch)
    assert small_chunks == lengths
    assert torch.equal(out.image, whole(A.Pipeline(layer), batch, None, monkeypatch).image)


def test_images_that_require_a_gradient_get_it(small_chunks):
    image = (images() / 255).requires_grad_()
    A.Pipeline(A.RandomHorizontalFlip())(image, index=torch.arange(7)).sum().backward()
    assert small_chunks == [7]
    assert torch.equal(image.grad, torch.ones_like(image))


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_few_samples_are_one_piece(count, small_chunks):
    assert A.Pipeline(A.RandomHorizontalFlip())(images(count)).shape == (count, 3, 24, 30)
    assert small_chunks == [count]
