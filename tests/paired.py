"""Times of this checkout beside those of another one, on a CPU.

    python -m tests.paired ../other [rounds]

Both take turns in processes of their own, so that a change of the machine's load meets both. For each recipe it prints
the median time of a call and its spread over the rounds, and the ratio this / other: for a batch of 8 at 32x32, where
Python and the launch of operators take the time, and for a batch of 64 at 256x256. The other checkout needs its C++
kernels built (`pip install -e .` in it, or `setup.py build_ext --inplace`), or both run without.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

import augment as A

BATCHES = {"8 x 32": (8, 32, 60), "64 x 256": (64, 256, 3)}
"""Number of images, side in pixels, and calls a round."""


def recipes(side: int) -> dict[str, list[A.Layer]]:
    normalize = A.Normalize(A.IMAGENET_MEAN, A.IMAGENET_STD)
    crop = [A.RandomResizedCrop(side), A.RandomHorizontalFlip()]
    return {
        "crop_flip": [*crop, normalize],
        "jitter": [
            *crop,
            A.RandomAffine(15, (0.1, 0.1), (0.9, 1.1)),
            A.ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8),
            normalize,
            A.RandomErasing(p=0.25),
        ],
        "randaugment": [*crop, A.RandAugment(2, 9), normalize],
        "three_augment": [*crop, A.OneOf([A.RandomGrayscale(p=1.0), A.RandomGaussianBlur((5, 5), (0.1, 2.0), p=1.0)])],
        "mixing": [*crop, normalize, A.RandomCutMix(num_classes=10)],
    }


def measured() -> dict[str, float]:
    """Milliseconds of a call by batch and recipe, the median of some calls."""
    found = {}
    for size, (count, side, calls) in BATCHES.items():
        images = torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8)
        batch = A.Batch(images, label=torch.arange(count) % 10, index=torch.arange(count))
        for name, layers in recipes(side * 7 // 8).items():
            for way in (False, True) if count == 8 else (False,):
                pipeline = A.Pipeline(*layers, compile=way)
                pipeline(batch)
                times = []
                for _ in range(calls):
                    start = time.perf_counter()
                    pipeline(batch)
                    times.append(time.perf_counter() - start)
                found[f"{size} {name}{' compiled' if way else ''}"] = 1e3 * statistics.median(times)
    return found


def run(checkout: Path) -> dict[str, float]:
    command = [sys.executable, str(Path(__file__).resolve()), "--measure"]
    env = os.environ | {"PYTHONPATH": str(checkout.resolve())}
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout)


def main(other: str, rounds: str = "5") -> None:
    here, there = Path(__file__).parents[1], Path(other)
    pairs = [(run(here), run(there)) for _ in range(int(rounds))]
    for name in pairs[0][0]:
        mine, theirs = ([pair[side][name] for pair in pairs] for side in (0, 1))
        ratio = statistics.median(a / b for a, b in zip(mine, theirs, strict=True))
        spread = (max(mine) - min(mine)) / statistics.median(mine)
        print(
            f"{name:32} {statistics.median(mine):9.2f} ms, spread {spread:.0%}; "
            f"other {statistics.median(theirs):9.2f} ms; this / other {ratio:.2f}"
        )


if __name__ == "__main__":
    torch.set_num_threads(2)
    if sys.argv[1:] == ["--measure"]:
        print(json.dumps(measured()))
    else:
        main(*sys.argv[1:])
