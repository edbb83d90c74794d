"""Images of different sizes in one batch."""

import pytest
import torch
import torchvision.transforms.v2.functional as tv

import augment as A

SIZES = [(31, 45), (64, 20), (12, 12), (40, 57)]


def images_of(channels: int = 3) -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.randint(0, 256, (channels, *size), dtype=torch.uint8) for size in SIZES]


def test_packing_keeps_every_byte():
    images = images_of()
    packed = A.PackedImages.from_images(images)
    assert len(packed) == 4
    assert packed.max_size == (64, 57)
    padded = packed.padded()
    for image, padding in zip(images, padded, strict=True):
        _, height, width = image.shape
        assert torch.equal(padding[:, :height, :width], image)
        assert torch.equal(padding[:, height:, :width], image[:, -1:].expand(-1, 64 - height, -1))


FIRST = {
    "Resize": lambda: A.Resize((16, 18)),
    "Resize bicubic": lambda: A.Resize((16, 18), resample="bicubic"),
    "Resize nearest": lambda: A.Resize((16, 18), resample="nearest"),
    "Preprocess": lambda: A.Preprocess(16, mean=0.5, std=0.2),
    "RandomResizedCrop": lambda: A.RandomResizedCrop((16, 18)),
    "crop with padding": lambda: A.RandomCrop((16, 18), padding=4, pad_if_needed=True),
    "a run": lambda: A.Pipeline(
        A.RandomResizedCrop((16, 18)), A.RandomHorizontalFlip(), A.RandomRotation(20), A.ColorJitter(0.3)
    ),
    "rotated first": lambda: A.Pipeline(A.RandomRotation(20, p=1.0), A.Resize((16, 18))),
}


@pytest.mark.parametrize("name", FIRST)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_packed_image_is_treated_as_if_it_were_alone(name, channels):
    layer, images = FIRST[name](), images_of(channels)
    noise = layer.noise(torch.arange(4))
    together = layer(A.PackedImages.from_images(images), noise)
    assert together.dtype == torch.float32
    assert together.is_contiguous(memory_format=torch.channels_last)
    for i, image in enumerate(images):
        torch.testing.assert_close(together[i], layer(image, noise[i : i + 1]), rtol=0, atol=2e-5)


def test_preprocessing_is_torchvisions():
    images = images_of()
    out = A.Preprocess(16, mean=A.IMAGENET_MEAN, std=A.IMAGENET_STD, crop=0.8)(A.PackedImages.from_images(images))
    for image, ours in zip(images, out, strict=True):
        theirs = tv.resize(image.float() / 255, [20], antialias=True)
        theirs = tv.normalize(tv.center_crop(theirs, [16]), A.IMAGENET_MEAN, A.IMAGENET_STD)
        torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-5)


def test_a_batch_of_packed_images_moves_as_a_whole():
    batch = A.Batch(A.PackedImages.from_images(images_of()), label=torch.arange(4), index=torch.arange(4))
    moved = batch.to("meta")
    assert {part.device.type for part in moved.parts().values()} == {"meta"}
    assert len(batch) == 4


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((A.RandomRotation(20), A.Resize((16, 18), resample="nearest")), "RandomRotation: .* 'bilinear' as they do"),
        ((A.Resize(16, resample="bicubic"), A.Resize((16, 18))), "Resize: .* 'bicubic' as they do"),
        ((A.RandomHorizontalFlip(), A.RandomRotation(20)), "RandomHorizontalFlip, RandomRotation: .* 'bilinear' as"),
        ((A.RandomHorizontalFlip(), A.ColorJitter(0.3)), r"RandomHorizontalFlip: .* must fix the size: CenterCrop"),
    ],
    ids=["rotated, then nearest", "bicubic, then bilinear", "no end", "a flip alone"],
)
def test_a_run_that_does_not_fix_the_size_is_told_how(layers, message):
    """Also where a layer of another interpolation, which is a pass of its own, would fix it."""
    with pytest.raises(ValueError, match=message):
        A.Pipeline(*layers)(A.PackedImages.from_images(images_of()))


def test_what_the_sentence_asks_for_helps():
    packed = A.PackedImages.from_images(images_of())
    for last in (A.Resize((16, 18)), A.CenterCrop(10), A.RandomResizedCrop(16)):
        out = A.Pipeline(A.RandomRotation(20), last, A.Resize((9, 9), resample="nearest"))(packed)
        assert out.shape == (4, 3, 9, 9)


def test_bicubic_of_packed_bytes_is_that_of_each_image_alone():
    """Hard edges, where what goes beyond the range between the two axes is cut, as Pillow and torchvision cut it."""
    images = [(torch.rand(3, *size) > 0.5).to(torch.uint8) * 255 for size in SIZES]
    resize = A.Resize((16, 18), resample="bicubic")
    out = resize(A.PackedImages.from_images(images))
    for image, ours in zip(images, out, strict=True):
        torch.testing.assert_close(ours, resize(image[None])[0], rtol=0, atol=2e-5)
