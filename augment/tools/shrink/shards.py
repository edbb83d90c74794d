"""Packs a folder of images into tar files as WebDataset lays them out."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from augment.tools.errors import ToolError
from augment.tools.scanning import images_below, subfolders
from augment.tools.split_folders import split_folders


class Sample(NamedTuple):
    """An image file, its class, and its path below the folder."""

    path: Path
    label: str
    name: str


def pack(folder: Path, output: Path, limit: int) -> dict[str, int]:
    """Write the images of class folders to output/train-000000.tar, ..., and return the number of images per split.

    A sample is the image, its class number (.cls), and an object with the name of its class and its path (.json).
    Samples are shuffled by a hash of their paths, because readers of shards shuffle within a few shards only.

    Args:
        folder: holds a folder for each class, or for each split with these inside.
        limit: bytes from which on a shard is complete.

    Raises:
        ToolError: if there are no class folders.
    """
    found = {
        split: sorted((sample for place in places for sample in _samples(folder, place)), key=_order)
        for split, places in class_folders(folder).items()
    }
    names = sorted({sample.label for samples in found.values() for sample in samples})
    classes = {name: number for number, name in enumerate(names)}
    for split, samples in found.items():
        _write(samples, classes, output, split, limit)
    return {split: len(samples) for split, samples in found.items()}


def class_folders(folder: Path) -> dict[str, list[Path]]:
    """Return the folders of the classes of each split; without splits, all are for training."""
    found = {split: subfolders(place) for split, place in (split_folders(folder) or {"train": folder}).items()}
    if not found.get("train"):
        raise ToolError(f"{folder} has no folder for each class, whose name would label its images in shards.")
    return found


def _samples(folder: Path, labelled: Path) -> Iterator[Sample]:
    for path in map(Path, images_below(labelled, Counter()).values()):
        yield Sample(path, labelled.name, path.relative_to(folder).as_posix())


def _order(sample: Sample) -> bytes:
    return blake2b(os.fsencode(sample.name), digest_size=16).digest()


def _write(samples: Iterable[Sample], classes: dict[str, int], output: Path, split: str, limit: int) -> None:
    """Write the shards of a split; each gets its name when it is complete."""
    rest = iter(enumerate(samples))
    following = next(rest, None)
    shard = 0
    while following is not None:
        place = output / f"{split}-{shard:06}.tar"
        part = place.with_name(f".{place.name}.part")
        with tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as tar:
            while following is not None and tar.offset < limit:
                _add(tar, f"{following[0]:09}", following[1], classes)
                following = next(rest, None)
        os.replace(part, place)
        shard += 1


def _add(tar: tarfile.TarFile, key: str, sample: Sample, classes: dict[str, int]) -> None:
    about = {"label": sample.label, "file": sample.name}
    members = {
        sample.path.suffix: sample.path.read_bytes(),
        ".cls": str(classes[sample.label]).encode(),
        ".json": json.dumps(about).encode(),
    }
    for ending, data in members.items():
        member = tarfile.TarInfo(key + ending)
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
