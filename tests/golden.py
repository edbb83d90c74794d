"""What every preset and every exported layer makes of the same images and noise, kept in a file.

A change that must not change results writes the file before and compares after, on the same machine:

    python -m tests.golden write before.pt
    python -m tests.golden compare before.pt     # exits with 1 and lists what is not equal to the bit

`--compiled` adds compiled passes (some minutes). Everything is run with the CPU's kernels and without them.
"""

import argparse
import sys
from collections.abc import Iterator
from unittest import mock

import torch
from torch import Tensor

import augment as A
from tests.conformance.catalogue import LAYERS, RANDOM, draw, make

Outputs = dict[str, Tensor]
"""Tensors by "kernels/mode/name/input/part"."""

PRESETS = ("imagenet", "cifar", "randaugment", "trivialaugment", "autoaugment", "augmix", "three_augment", "light")
MORE_PRESETS = ("ocr", "medical", "none")


def images() -> Tensor:
    """(8, 3, 45, 61) uint8, channels_last: smooth, colourful, different."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 45), torch.linspace(0, 1, 61), indexing="ij")
    phase = torch.arange(8.0)[:, None, None, None] * 0.7
    waves = torch.stack([torch.sin(5 * x + 3 * y), torch.cos(4 * x * y + 1), torch.sin(9 * y - 2 * x)])
    image = (0.5 + 0.45 * torch.sin(waves * 2 + phase)) * 255
    return image.round().to(torch.uint8).contiguous(memory_format=torch.channels_last)


def batch(image: Tensor) -> A.Batch:
    """With everything that may belong to images."""
    count, (height, width) = len(image), image.shape[-2:]
    sample = torch.arange(count)
    mask = (torch.arange(height)[:, None] // 5 + torch.arange(width) // 7 + sample[:, None, None]) % 4
    corner = torch.stack([sample, sample + 2], 1)[:, None].float()
    boxes = torch.cat([corner, corner + 20], -1).expand(-1, 2, -1).contiguous()
    return A.Batch(image, label=torch.eye(8)[sample % 8], mask=mask, boxes=boxes, keypoints=boxes[..., :2] + 3.5)


def made() -> Iterator[tuple[str, A.Layer]]:
    for name in (*PRESETS, *MORE_PRESETS):
        yield f"preset {name}", getattr(A.presets, name)(size=32, compile=False)
    for name in LAYERS:
        yield name, make(name)
        if name in RANDOM:
            yield f"{name} of half", make(name, p=0.5)


def outputs(compiled: bool) -> Outputs:
    """Of everything as it is installed; an input that a layer refuses is kept as its error."""
    given = {"bytes": batch(images()), "floats": batch(images() / 255), "packed": packed(images())}
    found: Outputs = {}
    for name, layer in made():
        noise = draw(layer)
        for kind, one in given.items():
            found |= parts(f"eager/{name}/{kind}", layer, one, noise)
        if compiled and all(leaf.compilable for leaf in layer.leaves()):
            pipeline = A.Pipeline(layer, compile=True)
            found |= parts(f"compiled/{name}/bytes", pipeline, given["bytes"], noise)
    return found


def packed(image: Tensor) -> A.Batch:
    sizes = [(45 - 3 * k, 61 - 5 * k) for k in range(len(image))]
    some = [one[:, :height, :width] for one, (height, width) in zip(image, sizes, strict=True)]
    return A.Batch(A.PackedImages.from_images(some), label=torch.eye(8))


def parts(key: str, layer: A.Layer, one: A.Batch, noise: Tensor) -> Outputs:
    try:
        out = layer(one, noise)
    except ValueError:
        return {f"{key}/refused": torch.zeros(0)}
    return {f"{key}/{name}": part for name, part in out.parts().items()}


def everything(compiled: bool) -> Outputs:
    found = {f"kernels/{key}": value for key, value in outputs(compiled).items()}
    with mock.patch("augment.kernels.cpu.library.AVAILABLE", False):
        torch._dynamo.reset()
        return found | {f"torch/{key}": value for key, value in outputs(compiled).items()}


def differing(before: Outputs, after: Outputs) -> list[str]:
    """A line for each output that is not equal to the bit."""
    lines = [f"{key}: only before" for key in before.keys() - after.keys()]
    lines += [f"{key}: only after" for key in after.keys() - before.keys()]
    for key in before.keys() & after.keys():
        old, new = before[key], after[key]
        if old.shape != new.shape or old.dtype != new.dtype:
            lines.append(f"{key}: {tuple(old.shape)} {old.dtype} became {tuple(new.shape)} {new.dtype}")
        elif not torch.equal(old.nan_to_num(), new.nan_to_num()):
            apart = (old.double() - new.double()).abs()
            lines.append(f"{key}: up to {apart.max():.2e} in {(apart > 0).double().mean():.2%} of the values")
    return sorted(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["write", "compare"])
    parser.add_argument("file")
    parser.add_argument("--compiled", action="store_true")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    found = everything(arguments.compiled)
    if arguments.action == "write":
        torch.save(found, arguments.file)
        print(f"{len(found)} outputs written to {arguments.file}")
        return
    lines = differing(torch.load(arguments.file, weights_only=True), found)
    print(*lines, f"{len(found)} outputs compared, {len(lines)} differ", sep="\n")
    sys.exit(bool(lines))


if __name__ == "__main__":
    main()
