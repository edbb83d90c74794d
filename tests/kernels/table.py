"""Arguments for every operator that has kernels: the table that holds each kernel to its operator's definition."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch

import augment as A
from augment.data.operator import Kernel, Operator
from augment.geometry.fill import Fill
from augment.geometry.interpolation import Footprint, Window
from augment.kernels.reference.overlay import Overlay
from augment.layers.filtering.jpeg import quantization

COUNT, SIZE = 8, (23, 31)
CHOSEN = torch.arange(COUNT) % 3 != 1


def bytes(channels: int = 3) -> torch.Tensor:
    made = torch.randint(0, 256, (COUNT, *SIZE, channels), generator=torch.Generator().manual_seed(0))
    return made.to(torch.uint8).permute(0, 3, 1, 2)


def uniforms(*shape: int) -> torch.Tensor:
    return torch.rand(COUNT, *shape, generator=torch.Generator().manual_seed(1))


def _look_up() -> tuple:
    factor = uniforms() + 0.5

    def function(planes, params):
        return tuple(plane * params[0]["factor"][:, None, None] for plane in planes)

    def tables(image, level):
        return level * factor[:, None, None]

    return bytes(), CHOSEN, {"factor": factor}, function, tables, True


def _box() -> dict[str, torch.Tensor]:
    sides = {"top": 9, "left": 12, "height": 14, "width": 19}
    return {name: torch.floor(uniforms() * most) for name, most in sides.items()}


def _planes() -> tuple[torch.Tensor, ...]:
    return (bytes() / 255).contiguous().unbind(1)


def _adjusted(image: torch.Tensor | tuple[torch.Tensor, ...], *steps: str) -> tuple:
    amounts = [uniforms(len(steps))[:, k] - (step == "turn hue") / 2 for k, step in enumerate(steps)]
    return (
        image,
        CHOSEN,
        steps,
        [amount + (step != "turn hue") / 2 for step, amount in zip(steps, amounts, strict=True)],
    )


def _overlay() -> tuple:
    floats = bytes() / 255
    return floats, floats, Overlay(torch.arange(COUNT).roll(1), uniforms(), *_box().values())


def _positions() -> tuple[torch.Tensor, torch.Tensor]:
    x, y = torch.linspace(-2, 33, 40)[None, None], torch.linspace(-1, 24, 30)[None, :, None]
    return (x + y / 9).expand(COUNT, -1, -1), (y - x / 9).expand(COUNT, -1, -1)


def _motions(first: Fill = 0.0, second: Fill = 0.3) -> list:
    turn = A.RandomRotation(30.0, p=1.0, fill_value=first)
    run = A.Pipeline(turn, A.RandomAffine(9, (0.2, 0.2), (0.7, 1.3), fill_value=second, p=1.0))
    noise = run.noise(torch.arange(COUNT))
    like = torch.empty(COUNT, 0)
    pairs = zip(run.leaves(), run.leaf_params(noise), strict=True)
    return [leaf.motion(SIZE, SIZE, drawn, like) for leaf, drawn in pairs]


def _one_map(fill: Fill = 0.0) -> tuple:
    (motion, _) = _motions(fill)

    def geometry(drawn, image):
        return [motion if len(image) == COUNT else replace(motion, matrix=motion.matrix[CHOSEN])]

    return bytes(), CHOSEN, [{}], geometry, "nearest", True, torch.uint8


COLOUR = (0.9, 0.1, 0.4)
NAMES = ("Brightness", "Color", "Contrast", "Sharpness", "Posterize", "Solarize", "AutoContrast", "Equalize")
EXAMPLES: dict[str, Callable[[], tuple]] = {
    "drawn": lambda: (torch.arange(COUNT) * 10**12 - 3, 2**63 + 5, 7, 9),
    "pointwise": _look_up,
    "erase": lambda: (bytes(), CHOSEN, _box(), 0.25, None),
    "erase floats": lambda: (bytes() / 255, CHOSEN, _box(), 0.25, None),
    "normalize": lambda: (bytes(), None, (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)),
    "normalize planes": lambda: (_planes(), None, (0.4,), (0.2,)),
    "normalize two": lambda: (bytes(2) / 255, None, (0.4, 0.5), (0.2, 0.3)),
    "channels_last": lambda: ((bytes() / 255).contiguous(),),
    "channels_last five": lambda: ((bytes(5) / 255).contiguous().unbind(1),),
    "adjust_color": lambda: _adjusted(bytes(), "blend with black", "blend with mean", "blend with gray", "turn hue"),
    "adjust_color kornia": lambda: _adjusted(_planes(), "turn hue", "add", "multiply", "scale saturation"),
    "count_levels": lambda: (bytes(),),
    "sharpen": lambda: (bytes(), CHOSEN, uniforms() * 3),
    "separable_filter": lambda: (bytes(), CHOSEN, uniforms(5) / 5, uniforms(7) / 7, "reflect", torch.float32),
    "jpeg": lambda: (bytes(), CHOSEN, quantization(uniforms() * 99 + 1)),
    "lay_over": _overlay,
    "policy_step": lambda: (bytes(), CHOSEN, NAMES, torch.arange(COUNT), uniforms() * 3 + 1),
    "sample bilinear": lambda: (bytes(), *_positions(), Window.whole(SIZE), "bilinear", Footprint(), None),
    "sample nearest": lambda: (bytes(), *_positions(), Window.whole(SIZE), "nearest", Footprint(), None),
    "resample": lambda: (bytes(), _motions(), "bilinear", torch.float32),
    "resample colours": lambda: (bytes(), _motions(COLOUR, COLOUR[::-1]), "bilinear", torch.float32),
    "finish": lambda: (bytes(), _motions(), "bilinear", [], torch.float32),
    "warp": _one_map,
    "warp colour": lambda: _one_map(COLOUR),
    "stack": lambda: ([uniforms(4), uniforms(4)], 1),
    "materialized": lambda: (uniforms(4),),
    "saturated": lambda: (uniforms(4) * 3 - 1,),
    "where": lambda: (CHOSEN[:, None], uniforms(4), -uniforms(4)),
}
"""Arguments by operator, or by operator and what tells its kernels apart."""


def operators() -> dict[str, Operator]:
    """Every operator that has a kernel, by name."""
    found = {}
    for package in ("augment.kernels.reference", "augment.data", "augment.draws"):
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
            for value in vars(importlib.import_module(module.name)).values():
                if isinstance(value, Operator) and value.kernels:
                    found[value.__name__] = value
    return found


def rows() -> Iterator[tuple[str, Operator, Kernel, Callable[[], tuple]]]:
    """Each kernel with arguments for it, and a name."""
    for name, operator in operators().items():
        for example, arguments in EXAMPLES.items():
            if example.split()[0] != name:
                continue
            for kernel in operator.kernels:
                if kernel.serves(*arguments()):
                    yield f"{example}, {kernel.backend.name}", operator, kernel, arguments


def difference(found: object, expected: object) -> float:
    """The largest difference, in units of images in [0, 1]; of counts and bytes in levels of 255."""
    found, expected = (torch.stack(tuple(v), 1) if isinstance(v, (tuple, list)) else v for v in (found, expected))
    unit = 1.0 if found.is_floating_point() else 255.0
    return ((found.double() - expected.double()).abs().max() / unit).item()
