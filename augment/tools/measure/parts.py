"""The measurements of the project, in order of importance, and what each of them needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from augment.tools.bench.classes import CLASSES
from augment.tools.bench.recipes import GROUPS

_GEOMETRIC = ("resized_crop", "hflip", "rotation", "affine", "perspective", "elastic")
_FILTERS = ("erasing", "gaussian_blur", "sharpness", "jpeg")


@dataclass(frozen=True)
class Settings:
    """What the measurements of one folder share; figures of other settings belong in another folder.

    Attributes:
        device: cpu, cuda or cuda:<number>.
        images: a folder of image files for the measurement from files; None leaves it out.
    """

    device: str
    batch: int
    rounds: int
    threads: int
    dtype: str
    images: str | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """The settings as words of a command line."""
        named = ("device", "batch", "rounds", "threads", "dtype")
        return tuple(word for name in named for word in (f"--{name}", str(getattr(self, name))))


@dataclass(frozen=True)
class Part:
    """One measurement, which runs in a process of its own.

    Attributes:
        name: name of its files.
        module: module that python runs.
        words: words of its command line, without the settings.
        gpu: whether it needs a GPU.
        files: whether it needs a folder of image files.
    """

    name: str
    words: tuple[str, ...]
    module: str = "augment"
    gpu: bool = False
    files: bool = False

    def command(self, settings: Settings, json: str, markdown: str) -> tuple[str, ...]:
        """Return the words after `python`."""
        images = ("--end-to-end", str(settings.images)) if self.files else ()
        return ("-m", self.module, *self.words, *images, *settings.words, "--json", json, "--markdown", markdown)

    def missing(self, settings: Settings) -> str | None:
        """Return the reason why it cannot run here; None if it can."""
        if self.gpu and not settings.device.startswith("cuda"):
            return "it needs a GPU"
        if self.files and settings.images is None:
            return "it needs a folder of image files: --images DIR"
        return None


def _layers(name: str, layers: Sequence[str]) -> Part:
    return Part(name, ("bench", "--recipes", ",".join(layers)))


_LAYERS = [layer.removeprefix("layer:") for layer in GROUPS["layers"]]

PARTS = (
    *(Part(f"recipe_{name}", ("bench", "--recipes", name)) for name in GROUPS["recipes"]),
    Part("step", ("step",)),
    Part("agreement", (), "augment.tools.measure.agreement", gpu=True),
    *(Part(f"classes_{name}", ("bench", "--classes", name)) for name in CLASSES),
    _layers("layers_geometric", [f"layer:{name}" for name in _LAYERS if name in _GEOMETRIC]),
    _layers("layers_colour", [f"layer:{name}" for name in _LAYERS if name not in (*_GEOMETRIC, *_FILTERS)]),
    _layers("layers_filters", [f"layer:{name}" for name in _LAYERS if name in _FILTERS]),
    _layers("operators", GROUPS["operators"]),
    Part("end_to_end", ("bench",), files=True),
)
"""Recipes come first, each on its own, so that little is lost when time runs out."""
