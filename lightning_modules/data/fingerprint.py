"""What a checkpoint remembers of the data, so that a resumed run notices when they have changed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lightning_modules.data.file_images import FileImages
from lightning_modules.data.image_sets import ImageSet

SHOWN = 3
"""Maximum number of classes that a sentence lists."""


def fingerprint(parts: Mapping[str, ImageSet], root: str | Path | None) -> dict[str, Any]:
    """Return a small description of the data: the classes, and per part the images of each class and two hashes.

    Args:
        parts: name of each part -> its images; all parts have the same classes.
        root: folder of the files, which may move; None if the images are not files.
    """
    return {
        "classes": next(iter(parts.values())).classes,
        "parts": {name: _of_part(images, root) for name, images in parts.items()},
    }


def difference(old: dict[str, Any], new: dict[str, Any]) -> str | None:
    """Return in words how data differ from a checkpoint's; None if they are the same.

    A checkpoint holds no names of files, so the words give numbers of files, not their names.
    """
    if old["classes"] != new["classes"]:
        return _of_classes(old, new)
    for name, now in new["parts"].items():
        before = old["parts"][name]
        if before["counts"] != now["counts"]:
            return f"the {name} split has {_of_counts(before['counts'], now['counts'], new['classes'])}"
        if before["files"] != now["files"]:
            return f"the {name} split has as many files of each class, but with other names"
        if before["labels"] != now["labels"]:
            return f"the {name} split has as many images of each class, but other labels"
    return None


def _counts(labels: Tensor, classes: int) -> list[int]:
    """Return the images of each class, from class numbers (N,) or targets (N, classes) of 0 and 1."""
    return (torch.bincount(labels, minlength=classes) if labels.ndim == 1 else labels.sum(0).long()).tolist()


def _of_part(images: ImageSet, root: str | Path | None) -> dict[str, Any]:
    labels, files = images.labels.contiguous(), blake2b(digest_size=16)
    if isinstance(images, FileImages):
        skipped = len(os.fsencode(root or ""))
        for name in images.paths.names():
            files.update(name[skipped:] + b"\0")
    return {
        "counts": _counts(labels, len(images.classes)),
        "files": files.hexdigest(),
        "labels": blake2b(labels.numpy().tobytes(), digest_size=16).hexdigest(),
    }


def _of_classes(old: dict[str, Any], new: dict[str, Any]) -> str:
    before, now = old["classes"], new["classes"]
    removed = [name for name in before if name not in now]
    added = [name for name in now if name not in before]
    if not added and not removed:
        return "the classes have another order"
    sizes = [dict(zip(data["classes"], data["parts"]["train"]["counts"], strict=True)) for data in (old, new)]
    if [sizes[0][name] for name in removed] == [sizes[1][name] for name in added]:
        pairs = [f"{one} to {other}" for one, other in zip(removed, added, strict=True)]
        return f"it seems that classes were renamed: {_listed(pairs)}"
    told = [f"{verb} classes: {_listed(names)}" for verb, names in (("removed", removed), ("added", added)) if names]
    return " and ".join(told)


def _of_counts(before: Sequence[int], now: Sequence[int], classes: Sequence[str]) -> str:
    changes = [
        f"{abs(new - old)} {'more' if new > old else 'fewer'} images of {name}"
        for old, new, name in zip(before, now, classes, strict=True)
        if new != old
    ]
    return _listed(changes)


def _listed(items: Sequence[str]) -> str:
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return ", ".join(items[:SHOWN]) + more
