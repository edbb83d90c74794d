"""Where the samples of WebDataset's tar files begin, so that they can be read by number."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from augment.tools.decoding import shown
from augment.tools.scanning import is_image
from lightning_modules.data.paths import Paths, Stored
from lightning_modules.errors import UserError
from lightning_modules.sources.labels import Label, name_of


class Fields(NamedTuple):
    """Which members of a sample are its image and its label.

    Attributes:
        image: ending of the image, such as jpg; None takes the only member that is an image.
        label: ending of the label: cls for text, or one that ends in json.
        key: of the label in a JSON object.
    """

    image: str | None
    label: str
    key: str


class ShardFiles:
    """The images of tar files; see `lightning_modules.data.paths.Files`.

    Args:
        shards: paths of the tar files.
        shard: (N,) the number of each image's shard.
        place: (N, 2) where in the shard its bytes begin, and how many they are.
        keys: the name of each sample, as a path below its shard.
    """

    def __init__(self, shards: Sequence[Path], shard: np.ndarray, place: np.ndarray, keys: Paths) -> None:
        self.shards, self.shard, self.place, self.keys = list(shards), shard, place, keys

    def __len__(self) -> int:
        return len(self.shard)

    def __getitem__(self, number: int, /) -> Stored:
        path = self.shards[self.shard[number]]
        first, size = self.place[number].tolist()
        return Stored(shown(path / self.keys[number]), partial(_read, path, first, size))

    def taken(self, numbers: Iterable[int]) -> ShardFiles:
        """Return the images with these numbers."""
        rows = np.fromiter(numbers, np.int64)
        return ShardFiles(self.shards, self.shard[rows], self.place[rows], self.keys.taken(rows.tolist()))

    def names(self) -> Iterator[bytes]:
        """Yield the path of each shard with the name of the sample."""
        return (
            os.fsencode(self.shards[shard]) + b"/" + key
            for shard, key in zip(self.shard, self.keys.names(), strict=True)
        )


def indexed(shards: Sequence[Path], fields: Fields) -> dict[str, np.ndarray]:
    """Read the headers of all shards, and return arrays: shard, place, keys, and labels as JSON.

    A sample is made of successive members whose names are alike up to the first dot in the last part.
    """
    shard: list[int] = []
    place: list[tuple[int, int]] = []
    keys: list[str] = []
    labels: list[str] = []
    for number, path in enumerate(shards):
        for key, image, label in _samples(path, fields):
            shard.append(number)
            place.append(image)
            keys.append(key)
            labels.append(json.dumps(label))
    return {
        "shard": np.array(shard, np.int32),
        "place": np.array(place, np.int64).reshape(-1, 2),
        "keys": _packed(keys),
        "labels": _packed(labels),
    }


def opened(shards: Sequence[Path], index: dict[str, np.ndarray]) -> tuple[ShardFiles, list[Label]]:
    """Return the images and the labels of an index."""
    labels = [json.loads(text) for text in _unpacked(index["labels"])]
    return ShardFiles(shards, index["shard"], index["place"], Paths(_unpacked(index["keys"]))), labels


def _samples(path: Path, fields: Fields) -> Iterator[tuple[str, tuple[int, int], Label]]:
    """Yield the key, the place of the image, and the label of each sample of a shard."""
    try:
        with tarfile.open(path, "r:") as tar:
            key, members = "", dict[str, tarfile.TarInfo]()
            for member in tar:
                if not member.isfile():
                    continue
                folder, name = os.path.split(member.name)
                stem, _, ending = name.partition(".")
                if os.path.join(folder, stem) != key and members:
                    yield _sample(tar, key, members, fields)
                    members = {}
                key = os.path.join(folder, stem)
                members[ending.lower()] = member
            if members:
                yield _sample(tar, key, members, fields)
    except (tarfile.TarError, OSError) as error:
        raise UserError(
            f"WebDatasetData: cannot read the shard {shown(path)} ({error}); it must be a tar file without compression."
        ) from error
    except UserError as error:
        raise UserError(f"WebDatasetData: {shown(path)}: {error}") from error


def _sample(
    tar: tarfile.TarFile, key: str, members: dict[str, tarfile.TarInfo], fields: Fields
) -> tuple[str, tuple[int, int], Label]:
    images = [ending for ending in members if is_image(f"x.{ending}")] if fields.image is None else [fields.image]
    if len(images) != 1 or images[0] not in members:
        raise UserError(
            f"the sample {key!r} has the members {', '.join(sorted(members))}; one must be an image, or "
            "data.image name its ending."
        )
    if fields.label not in members:
        raise UserError(
            f"the sample {key!r} has no member {fields.label!r} but {', '.join(sorted(members))}; name the ending of "
            "the label by data.label."
        )
    file = tar.extractfile(members[fields.label])
    text = b"" if file is None else file.read()
    image = members[images[0]]
    try:
        return key, (image.offset_data, image.size), _label(text, fields)
    except (UserError, ValueError, LookupError, TypeError) as error:
        raise UserError(f"the label of the sample {key!r} cannot be read ({error}).") from error


def _label(text: bytes, fields: Fields) -> Label:
    if not fields.label.endswith("json"):
        return name_of(text.decode().strip())
    value = json.loads(text)
    return name_of(value[fields.key] if isinstance(value, dict) else value)


def _read(path: Path, first: int, size: int) -> bytes:
    with open(path, "rb") as shard:
        shard.seek(first)
        data = shard.read(size)
    if len(data) < size:
        raise OSError("the shard ends within the image")
    return data


def _packed(texts: Sequence[str]) -> np.ndarray:
    """Return texts, which hold no zero, as an array of bytes."""
    return np.frombuffer("\0".join(texts).encode(errors="surrogateescape"), np.uint8)


def _unpacked(packed: np.ndarray) -> list[str]:
    return packed.tobytes().decode(errors="surrogateescape").split("\0") if len(packed) else []
