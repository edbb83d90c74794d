"""What a pipeline says it will look at is all that its result depends on."""

import pytest
import torch
import torch.nn.functional as F

import augment as A
from augment.data.packed import Origin
from tests.conformance.catalogue import LAYERS, as_batch, draw, make
from tests.unchecked import import_unchecked

SIZES = [(96, 120), (80, 61), (160, 128), (33, 47)]

PIPELINES = {
    "crop": lambda a: a.Pipeline(a.RandomResizedCrop(16), a.RandomHorizontalFlip(), a.ColorJitter(0.2)),
    "crop and turn": lambda a: a.Pipeline(a.RandomResizedCrop(16), a.RandomRotation(25.0), a.RandomErasing()),
    "flipped crop": lambda a: a.Pipeline(a.RandomHorizontalFlip(), a.RandomResizedCrop((12, 20))),
    "crop of pixels": lambda a: a.Pipeline(a.RandomCrop(32, padding=4), a.Resize((16, 16))),
    "mirrored": lambda a: a.Pipeline(a.RandomRotation(40.0, padding_mode="reflection"), a.Resize((16, 16))),
    "bicubic": lambda a: a.Pipeline(a.Resize((16, 16), resample="bicubic")),
    "evaluation": lambda a: a.Preprocess(16),
}


def waves(sizes: list[tuple[int, int]]) -> list[torch.Tensor]:
    """Smooth images, which a decoder can halve without loss."""
    images = []
    for number, (height, width) in enumerate(sizes):
        y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
        wave = torch.stack([torch.sin(5 * x + 3 * y + number), torch.cos(6 * x * y), torch.sin(4 * y - 3 * x)])
        images.append(((wave * 0.45 + 0.5) * 255).round().to(torch.uint8))
    return images


def noise_of(pipeline: A.Pipeline, epoch: int = 0) -> torch.Tensor | None:
    return pipeline.noise(torch.arange(len(SIZES)), epoch=epoch) if pipeline.draws else None


def stored(images: list[torch.Tensor], look, factors: list[int]) -> A.PackedImages:
    """Do what a decoder does: reduce by a factor, and cut out the box."""
    parts, corners = [], []
    for image, box, factor in zip(images, look.box.tolist(), factors, strict=True):
        top, left, height, width = box
        small = F.avg_pool2d(image[None].float(), factor, ceil_mode=True)[0].round().to(torch.uint8)
        corners.append((top // factor, left // factor))
        bottom, right = -(-(top + height) // factor), -(-(left + width) // factor)
        parts.append(small[:, corners[-1][0] : bottom, corners[-1][1] : right])
    sizes = [(image.shape[1], image.shape[2]) for image in images]
    origin = Origin.of(sizes, [1 / factor for factor in factors], corners)
    return A.PackedImages.from_images(parts).unchecked(origin=origin)


def largest(reduction: torch.Tensor) -> list[int]:
    return [max(factor for factor in (1, 2, 4, 8) if factor <= most) for most in reduction.tolist()]


@pytest.mark.parametrize("name", [name for name, cls in LAYERS.items() if cls.by_sample])
def test_pixels_outside_of_the_box_do_not_matter(name, photos):
    pipeline = A.Pipeline(make(name))
    for seed in range(3):
        noise = draw(pipeline, seed=seed)
        look = pipeline.looks_at(torch.tensor([photos.shape[-2:]] * 8), noise)
        other = 255 - photos
        for image, own, (top, left, height, width) in zip(other, photos, look.box.tolist(), strict=True):
            box = slice(None), slice(top, top + height), slice(left, left + width)
            image[box] = own[box]
        assert torch.equal(pipeline(as_batch(other), noise).image, pipeline(as_batch(photos), noise).image)


@pytest.mark.parametrize("kernels", [True, False])
@pytest.mark.parametrize("name", PIPELINES)
def test_a_cut_image_gives_the_same(name, kernels, in_torch):
    pipeline, images = PIPELINES[name](A), waves(SIZES)
    call = pipeline if kernels else lambda *given: in_torch(pipeline, *given)
    for epoch in range(3):
        noise = noise_of(pipeline, epoch)
        pipeline.train(noise is not None)
        look = pipeline.looks_at(torch.tensor(SIZES), noise)
        out = call(stored(images, look, [1] * len(images)), noise)
        torch.testing.assert_close(out, call(A.PackedImages.from_images(images), noise), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kernels", [True, False])
@pytest.mark.parametrize("name", PIPELINES)
def test_a_reduced_image_looks_the_same(name, kernels, in_torch):
    """At most one level apart on average, of smooth images; a shift by half a stored pixel is eight."""
    pipeline, images, reduced, worst = PIPELINES[name](A), waves(SIZES), 0, 0.0
    call = pipeline if kernels else lambda *given: in_torch(pipeline, *given)
    for epoch in range(6):
        noise = noise_of(pipeline, epoch)
        pipeline.train(noise is not None)
        look = pipeline.looks_at(torch.tensor(SIZES), noise)
        factors = largest(look.reduction)
        reduced += sum(factor > 1 for factor in factors)
        apart = call(stored(images, look, factors), noise) - call(A.PackedImages.from_images(images), noise)
        worst = max(worst, apart.abs().mean((1, 2, 3)).max().item())
    assert reduced
    assert worst < 1 / 255, worst * 255


@pytest.mark.parametrize("name", ["crop and turn", "evaluation"])
def test_compiled_code_reads_reduced_images(name):
    a = import_unchecked("augment")  # the compiler cannot look through run-time type checks
    pipeline, images = PIPELINES[name](a), waves(SIZES)
    noise = noise_of(pipeline)
    pipeline.train(noise is not None)
    look = pipeline.looks_at(torch.tensor(SIZES), noise)
    given = stored(images, look, largest(look.reduction))
    given = a.PackedImages(given.data, given.sizes, 3, given.max_size).unchecked(
        origin=import_unchecked("augment.data.packed").Origin(**vars(given.origin))
    )
    eager = pipeline(given, noise)
    pipeline.compile_mode = True
    torch.testing.assert_close(pipeline(given, noise), eager, rtol=0, atol=1e-5)


def test_annotations_stay_in_pixels_of_the_original():
    pipeline, images = PIPELINES["crop and turn"](A), waves(SIZES)
    noise = noise_of(pipeline)
    look = pipeline.looks_at(torch.tensor(SIZES), noise)
    boxes = torch.tensor([[[4.0, 5.0, 30.0, 28.0]]]).expand(4, 1, 4)
    points = torch.tensor([[[20.0, 17.0]]]).expand(4, 1, 2)
    given = A.Batch(A.PackedImages.from_images(images), boxes=boxes, keypoints=points)
    whole = pipeline(given, noise)
    part = pipeline(given.replace(image=stored(images, look, largest(look.reduction))), noise)
    for name in ("boxes", "boxes_visible", "keypoints", "keypoints_visible"):
        assert torch.equal(getattr(part, name), getattr(whole, name))


def test_a_resize_may_be_given_images_that_are_smaller_by_its_factor():
    sizes = torch.tensor([(448, 672), (112, 112)])
    assert A.Pipeline(A.Resize((112, 112))).looks_at(sizes).reduction.tolist() == [4.0, 1.0]
    assert A.Pipeline(A.Resize((112, 112)), A.ColorJitter(0.2)).looks_at(sizes).reduction.tolist() == [4.0, 1.0]


@pytest.mark.parametrize(
    "layers",
    [
        [A.ColorJitter(0.2), A.Resize((16, 16))],
        [A.Resize((16, 16), antialias=False)],
        [A.Resize((16, 16), resample="nearest")],
        [A.RandomAffine(10.0, scale=(0.2, 0.3)), A.RandomHorizontalFlip()],
        [A.RandomRotation(A.Uniform(-10.0, 10.0, learnable=True)), A.Resize((16, 16))],
        [A.RandomMixUp(num_classes=3), A.Resize((16, 16))],
        [],
    ],
    ids=["colours first", "aliased", "nearest", "no antialiasing", "learned", "mixing first", "nothing"],
)
def test_what_is_not_averaged_needs_every_pixel(layers):
    pipeline, sizes = A.Pipeline(*layers), torch.tensor(SIZES)
    look = pipeline.looks_at(sizes, pipeline.noise(torch.arange(len(SIZES))))
    assert look.reduction.tolist() == [1.0] * len(SIZES)
    assert look.box.tolist() == [[0, 0, *size] for size in SIZES]
