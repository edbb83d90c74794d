"""Promises that hold for any image, draw and legal parameters, on scenes that hypothesis generates for every layer."""

import json
import zlib
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

import augment as A
from augment.draws.bounds import Bounds
from tests.conformance.catalogue import ALONE, LAYERS, MIXES, RANDOM, as_batch, make, same_size

EXAMPLES = 12
"""Number of scenes per layer, the same in every run; raise it to search for bugs."""
DTYPES = (torch.uint8, torch.float16, torch.bfloat16, torch.float32, torch.float64)
TOLERANCE = {torch.float16: 2.0**-10, torch.bfloat16: 2.0**-7}
"""One rounding step; float32 results may round differently in a batch of another size."""
LAST = 1 - 2.0**-24
"""Largest uniform number that can be drawn."""
CONTENTS = ("random", "black", "white", "grey", "normalized", "a step")
FIXED = {"RandomChannelDropout": {"num_drop_channels"}, "RandomRain": {"number_of_drops"}}
"""Quantities that keep their value, because the largest legal value does not fit the image or takes too long."""
ARGUMENTS: dict[str, list[dict[str, Any]]] = {
    "CoarseDropout": [
        {"num_holes_range": 0},
        {"num_holes_range": (0, 40), "hole_height_range": (1, 90), "hole_width_range": (1, 90)},
        {"hole_height_range": 0.0, "hole_width_range": (0.0, 1.0)},
    ],
    "GridMask": [{"unit_range": (1, 2), "ratio": 0.0}, {"unit_range": 0.0}],
    "RandomChannelDropout": [{"num_drop_channels": 0}],
    "RandomErasing": [{"value": "random"}, {"value": "rand", "count": (1, 3)}],
    "RandomInvert": [{"max_val": 0.0}],
    "RandomMotionBlur": [{"kernel_size": 1}, {"kernel_size": (1, 41)}],
    "RandomPosterize": [{"bits": 0}, {"bits": 8}],
    "RandomRain": [
        {"number_of_drops": 0},
        {"number_of_drops": 3, "drop_height": 1000, "drop_width": (-1000, 1000)},
        {"number_of_drops": (0, 200), "drop_height": 1, "drop_width": 0},
    ],
    "RandomResizedCrop": [{"ratio": (1e-3, 1e3)}, {"size": (1, 1)}],
}
"""Extreme constructor arguments that the quantities do not cover; every layer also gets {}."""


class Scene(NamedTuple):
    """The choices of hypothesis."""

    batch: int
    channels: int
    size: tuple[int, int]
    dtype: torch.dtype
    content: str
    noise: str
    arguments: dict[str, Any]
    extremes: dict[str, str]
    broken: str


def scenes(name: str) -> st.SearchStrategy[Scene]:
    quantities = [q for q in make(name)._quantities if q not in FIXED.get(name, ())]
    ways = st.sampled_from(("as it is", "lowest", "highest", "whole range"))
    arguments = st.sampled_from([{}, *ARGUMENTS.get(name, [])])
    if name in RANDOM:
        arguments = st.builds(lambda given, p: given | {"p": p}, arguments, st.sampled_from((1.0, 0.5, 0.0)))
    return st.builds(
        Scene,
        batch=st.integers(0, 5),
        channels=st.sampled_from((3, 1, 4)),
        size=st.tuples(st.integers(1, 64), st.integers(1, 64)),
        dtype=st.sampled_from(DTYPES),
        content=st.sampled_from(CONTENTS),
        noise=st.sampled_from(("drawn", "zero", "last", "both ends")),
        arguments=arguments,
        extremes=st.fixed_dictionaries(dict.fromkeys(quantities, ways)),
        broken=st.sampled_from(("a pixel", "everything")),
    )


def layer_of(name: str, scene: Scene) -> A.Layer:
    arguments = dict(scene.arguments)
    if name in ("CenterCrop", "RandomCrop"):
        arguments["size"] = (min(9, scene.size[0]), min(10, scene.size[1]))
    layer = make(name, **arguments)
    for quantity, way in scene.extremes.items():
        low, high = legal_range(getattr(layer, quantity))
        if way != "as it is" and low < high:
            distribution = {"lowest": A.Constant(low), "highest": A.Constant(high), "whole range": A.Uniform(low, high)}
            setattr(layer, quantity, distribution[way])
    return layer


def legal_range(distribution: A.Distribution) -> tuple[float, float]:
    """Return the widest range that a user may set; (0, 0) if it is unbounded or not random, to leave it unchanged."""
    bounds = getattr(distribution, "bounds", None)
    if not isinstance(bounds, Bounds) or not all(abs(end) < float("inf") for end in bounds.legal):
        return 0.0, 0.0
    return bounds.legal


def images_of(scene: Scene) -> torch.Tensor:
    shape = (scene.batch, scene.channels, *scene.size)
    generator = torch.Generator().manual_seed(scene.size[0] * 64 + scene.size[1])
    image = torch.rand(shape, generator=generator)
    if scene.content in ("black", "white", "grey"):
        image = torch.full(shape, {"black": 0.0, "white": 1.0, "grey": 0.5}[scene.content])
    elif scene.content == "a step":
        image = image.round()
    if scene.dtype == torch.uint8:
        return (image * 255).round().to(torch.uint8)
    return (image * 5 - 2 if scene.content == "normalized" else image).to(scene.dtype)


def noise_of(layer: A.Layer, scene: Scene) -> torch.Tensor:
    drawn = layer.noise(torch.arange(scene.batch))
    ends = {"drawn": drawn, "zero": drawn * 0, "last": drawn * 0 + LAST, "both ends": drawn.round() * LAST}
    return ends[scene.noise]


def holds(name: str, scene: Scene) -> None:
    layer, images = layer_of(name, scene), images_of(scene)
    noise = noise_of(layer, scene)
    batch = as_batch(images)
    out = layer(batch, noise)
    expected_dtype = torch.float32 if scene.dtype == torch.uint8 else scene.dtype
    assert out.image.dtype == expected_dtype
    assert out.image.shape == (scene.batch, scene.channels, *layer.out_size(scene.size))
    assert torch.isfinite(out.image).all()
    assert out.mask.shape == (scene.batch, *layer.out_size(scene.size))
    if name in MIXES and scene.batch:
        torch.testing.assert_close(out.label.sum(1).float(), torch.ones(scene.batch), rtol=0, atol=1e-5)
        assert out.label.min() >= 0
    if scene.arguments.get("p") == 0.0 and same_size(layer, scene.size):
        assert torch.equal(out.image, images * torch.tensor(1 / 255) if images.dtype == torch.uint8 else images)
    if scene.batch:
        json.dumps(layer.explain(noise[0], scene.size), allow_nan=False)
        a_sample_does_not_depend_on_its_batch(name, layer, batch, noise, out.image)
        not_a_number_stays_in_its_sample(layer, batch, noise, out.image, scene.broken)


def a_sample_does_not_depend_on_its_batch(
    name: str, layer: A.Layer, batch: A.Batch, noise: torch.Tensor, out: torch.Tensor
) -> None:
    if name not in ALONE or len(batch) < 2:
        return
    i = len(batch) - 1
    alone = layer(batch.map(lambda part: part[i:]), noise[i:]).image
    tolerance = TOLERANCE.get(out.dtype, 1e-5)
    torch.testing.assert_close(alone, out[i:], rtol=tolerance, atol=tolerance)


def not_a_number_stays_in_its_sample(
    layer: A.Layer, batch: A.Batch, noise: torch.Tensor, out: torch.Tensor, broken: str
) -> None:
    if batch.image.dtype == torch.uint8:
        return
    bad, images = len(batch) // 2, batch.image.clone()
    if broken == "everything":
        images[bad] = float("nan")
    else:
        images[bad, 0, -1, -1] = float("nan")
    others = [i for i in range(len(batch)) if i != bad]
    if isinstance(layer, A.Mix):
        partner = layer.partner(layer.params(noise))
        others = [i for i in others if not (partner[i] == bad).any()]  # some samples have several partners
    assert torch.equal(layer(batch.replace(image=images), noise).image[others], out[others])


@pytest.mark.parametrize("name", LAYERS)
def test_any_scene(name):
    @seed(zlib.crc32(name.encode()))  # otherwise all layers would get the same few scenes
    @settings(derandomize=True, deadline=None, max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(scenes(name))
    def test(scene: Scene) -> None:
        holds(name, scene)

    test()
