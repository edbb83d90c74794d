"""Draw docs/pictures/speed.svg from the measurements in docs/benchmarks_*.json: python docs/pictures/speed.py."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib.pyplot as plt

DOCS = Path(__file__).parents[1]
RECIPE = "jitter"
WORDS = {
    "augment CUDA graphs": "this library, CUDA graphs",
    "augment compiled": "this library",
    "kornia eager": "Kornia",
    "kornia compiled": "Kornia, compiled",
    "torchvision batched": "torchvision v2, one draw per batch",
    "torchvision per image": "torchvision v2, per image",
    "albumentations per image": "albumentations",
    "fuse-augmentations": "fuse-augmentations",
    "DALI": "DALI on the CPU",
}


def speeds(file: str) -> dict[str, float]:
    """Return the largest measured images/s of each implementation of the recipe."""
    content = json.loads((DOCS / file).read_text())
    best: dict[str, float] = {}
    for run in content if isinstance(content, list) else [content]:
        for result in run["results"]:
            name, speed = result["implementation"], result["images_per_s"]
            if result["recipe"] == RECIPE and speed is not None and name in WORDS:
                best[name] = max(best.get(name, 0.0), speed)
    return dict(sorted(best.items(), key=lambda item: item[1]))


def draw(axes: plt.Axes, found: dict[str, float], title: str) -> None:
    colours = ["#e8710a" if name.startswith("augment") else "#9aa0a6" for name in found]
    bars = axes.barh([WORDS[name] for name in found], list(found.values()), color=colours)
    axes.bar_label(bars, [f"{speed:,.0f}" for speed in found.values()], padding=4)
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlim(0, 1.18 * max(found.values()))
    axes.xaxis.set_visible(False)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.tick_params(left=False)


def main() -> None:
    plt.rcParams |= {"svg.hashsalt": "speed", "font.size": 10}
    panels = {"images/s on an H100 (batch 256, bf16)": speeds("benchmarks_gpu.json")}
    panels["images/s on two cores of a CPU (batch 64)"] = speeds("benchmarks_cpu.json")
    heights = [len(found) for found in panels.values()]
    figure, axes = plt.subplots(len(panels), figsize=(8, 0.36 * sum(heights) + 1.4), height_ratios=heights)
    for axis, (title, found) in zip(axes, panels.items(), strict=True):
        draw(axis, found, title)
    figure.suptitle(
        "crop, flip, rotation, colour jitter, normalization: 256² to 224²", x=0.01, ha="left", weight="bold"
    )
    figure.tight_layout()
    figure.savefig(DOCS / "pictures" / "speed.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
