"""Data modules: the batches that reach the model."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from augment import PackedImages
from lightning_modules.data.digits import DigitsData
from lightning_modules.data.folder import FolderData
from lightning_modules.data.image_sets import IGNORED, split
from lightning_modules.data.torchvision_data import TorchvisionData
from lightning_modules.errors import UserError
from tests.trainer.tools import write_images


def test_digits_are_the_real_ones() -> None:
    data = DigitsData()
    assert [len(part) for part in data.splits] == [1169, 269, 359]
    seen = torch.cat([part.images(range(len(part))).flatten(1) for part in data.splits])
    real = torch.from_numpy(load_digits().images).flatten(1)
    assert torch.equal((seen.double() * 16 / 255).round().unique(dim=0), real.unique(dim=0))


def test_batches_hold_uint8_channels_last_labels_and_index() -> None:
    data = DigitsData(batch_size=50)
    batch = next(iter(data.train_dataloader()))
    assert batch.image.shape == (50, 1, 8, 8)
    assert batch.image.dtype == torch.uint8
    assert batch.label.dtype == batch.index.dtype == torch.int64
    assert torch.equal(batch.label, data.splits.train.labels[batch.index])
    assert torch.equal(batch.image, data.splits.train.images(batch.index.tolist()))


def test_colour_images_are_channels_last(tmp_path: Path) -> None:
    for name in "ab":
        write_images(tmp_path / name, 10, [(12, 10)])
    image = next(iter(FolderData(str(tmp_path), batch_size=4).train_dataloader())).image
    assert image.shape == (4, 3, 12, 10)
    assert image.is_contiguous(memory_format=torch.channels_last)


def test_split_keeps_the_shares_of_the_classes() -> None:
    labels = torch.arange(1000) % 7
    val, test, train = split(labels, [0.1, 0.25], seed=1)
    assert sorted(torch.cat([val, test, train]).tolist()) == list(range(1000))
    assert (len(val), len(test)) == (100, 250)
    for part, share in ((val, 0.1), (test, 0.25)):
        counts = labels[part].bincount().float()
        assert (counts - share * labels.bincount()).abs().max() <= 1
    assert torch.equal(val, split(labels, [0.1, 0.25], seed=1)[0])
    assert not torch.equal(val, split(labels, [0.1, 0.25], seed=2)[0])


def test_split_of_single_images_per_class_is_not_empty() -> None:
    assert [len(part) for part in split(torch.arange(40), [0.1, 0.1], seed=0)] == [4, 4, 32]


def test_padding_is_labelled_to_be_ignored() -> None:
    images = DigitsData().splits.val
    batch = images.__getitems__([3, ~5])
    assert batch.index.tolist() == [3, 5]
    assert batch.label.tolist() == [images.labels[3].item(), IGNORED]


@pytest.mark.parametrize("workers", [0, 2])
def test_mixed_sizes_travel_packed(mixed_folder: Path, workers: int) -> None:
    data = FolderData(str(mixed_folder), batch_size=6, num_workers=workers)
    batches = list(data.train_dataloader())
    assert len(batches) == 4
    for batch in batches:
        assert isinstance(batch.image, PackedImages)
        offsets = batch.image.offsets.tolist()
        for i, number in enumerate(batch.index.tolist()):
            pixels = torch.from_numpy(np.array(Image.open(data.splits.train.paths[number])))
            start = offsets[i]
            assert batch.image.sizes[i].tolist() == list(pixels.shape[:2])
            assert torch.equal(batch.image.data[start : start + pixels.numel()], pixels.flatten())


def test_grey_is_read_as_asked(mixed_folder: Path) -> None:
    assert FolderData(str(mixed_folder), channels=1).example(4).image.channels == 1


def test_folders_of_splits_are_used_and_the_missing_one_is_split_off(tmp_path: Path) -> None:
    for part, count in (("train", 20), ("test", 5)):
        for name in ("a", "b"):
            write_images(tmp_path / part / name, count, [(8, 8)])
    train, val, test = FolderData(str(tmp_path), val_share=0.2).splits
    assert (len(train), len(val), len(test)) == (32, 8, 10)
    assert {path.parts[-3] for path in (*train.paths, *val.paths)} == {"train"}
    assert {path.parts[-3] for path in test.paths} == {"test"}
    assert not set(train.paths) & set(val.paths)


def test_classes_keep_their_numbers_where_a_split_lacks_one(tmp_path: Path) -> None:
    for name in "abc":
        write_images(tmp_path / "train" / name, 4, [(8, 8)])
    write_images(tmp_path / "val" / "c", 4, [(8, 8)])
    write_images(tmp_path / "test" / "b", 4, [(8, 8)])
    data = FolderData(str(tmp_path))
    assert data.num_classes == 3
    assert data.splits.val.labels.tolist() == [2] * 4
    assert data.splits.test.labels.tolist() == [1] * 4


def test_a_class_without_training_images_is_refused(tmp_path: Path) -> None:
    write_images(tmp_path / "train" / "a", 4, [(8, 8)])
    write_images(tmp_path / "test" / "b", 4, [(8, 8)])
    with pytest.raises(UserError, match="b is a class without training images"):
        _ = FolderData(str(tmp_path)).splits


def test_a_corrupt_image_in_a_worker_is_one_sentence(mixed_folder: Path) -> None:
    broken = mixed_folder / "bee" / "3.png"
    broken.write_bytes(broken.read_bytes()[:100])
    data = FolderData(str(mixed_folder), batch_size=4, num_workers=1)
    (loader,) = (
        loader
        for images, loader in zip(
            data.splits, (data.train_dataloader(), data.val_dataloader(), data.test_dataloader()), strict=True
        )
        if broken in images.paths
    )
    with pytest.raises(UserError) as caught:
        list(loader)
    assert str(caught.value).startswith(f"cannot read the image {broken} (")
    assert str(caught.value).endswith("): remove or replace the file.")
    assert "\n" not in str(caught.value)


def test_torchvision_data_is_read(tmp_path: Path) -> None:
    """Read a small set of files in Fashion-MNIST's own format."""
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    rng, written = np.random.default_rng(0), {}
    for name, count in (("train", 40), ("t10k", 10)):
        pixels = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        written[name] = pixels, labels
        for kind, array in (("images-idx3", pixels), ("labels-idx1", labels)):
            head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            (raw / f"{name}-{kind}-ubyte").write_bytes(head + array.tobytes())
            (raw / f"{name}-{kind}-ubyte.gz").write_bytes(gzip.compress(head + array.tobytes()))
    data = TorchvisionData("FashionMNIST", str(tmp_path), val_share=0.25)
    data.prepare_data()
    assert [len(part) for part in data.splits] == [30, 10, 10]
    assert torch.equal(data.splits.test.images(range(10))[:, 0], torch.from_numpy(written["t10k"][0]))
    assert data.splits.test.labels.tolist() == list(range(10))
    assert data.channels == 1
    assert data.num_classes == 10
