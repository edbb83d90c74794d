"""What keeps it fast and can be checked without a clock: one graph, few kernels, little memory, no host reads."""

import functools
import json
import subprocess
import sys
import warnings

import pytest
import torch
import torch._dynamo.testing
from torch._subclasses.fake_tensor import FakeTensorMode

from tests.unchecked import import_unchecked

speed = import_unchecked("tests.speed_recipes")  # the type checks of the tests do not compile
A, WHOLE, batch, counted, pipeline = (getattr(speed, n) for n in ("A", "WHOLE", "batch", "counted", "pipeline"))


@pytest.fixture
def graphs(monkeypatch):
    """Counts what a pipeline compiles, without the cost of generating code."""
    torch._dynamo.reset()
    counter, compile = torch._dynamo.testing.CompileCounter(), torch.compile

    @functools.wraps(compile)
    def counting(function, mode=None, options=None, **others):
        return compile(function, backend=counter, **others)

    monkeypatch.setattr(torch, "compile", counting)
    return counter


@pytest.mark.parametrize("name", WHOLE)
def test_one_graph_for_50_batches_with_a_smaller_last_one(name, graphs):
    """`fullgraph=True` raises at a graph break; every epoch has new numbers.

    On a CPU mixes stay outside of it.
    """
    compiled = pipeline(name, compile=True)
    for count in [6] * 49 + [4]:
        compiled(batch(count=count), epoch=count)
    assert graphs.frame_count == 1


@pytest.mark.parametrize("name", WHOLE)
def test_one_graph_inside_of_somebody_elses(name, graphs):
    given, eager = batch(), pipeline(name)
    compiled = torch.compile(eager, fullgraph=True)
    torch.testing.assert_close(compiled(given, eager.noise(given.index)).image, eager(given).image, rtol=0, atol=0.1)
    assert graphs.frame_count == 1


@pytest.mark.parametrize(
    "layer",
    [A.RandomGaussianBlur(5), A.RandomMotionBlur(5, 45.0, 0.5), A.RandomElasticTransform((19, 5), (3.0, 3.0))],
    ids=lambda layer: type(layer).__name__,
)
def test_code_for_any_number_of_samples(layer):
    """Code generation can make a graph special to a batch size, too; so it does for convolutions with many groups."""
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    compiled = A.Pipeline(layer, compile=True)
    for count in (6, 4):
        given = batch(count=count)
        noise = compiled.noise(given.index)
        expected = A.Pipeline(layer, compile=False)(given, noise).image
        torch.testing.assert_close(compiled(given, noise).image, expected, rtol=0, atol=2e-4)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


def test_one_graph_for_packed_images_of_many_sizes(graphs):
    compiled = pipeline("crop_flip", compile=True)
    for largest in (48, 41, 45, 39, 47):
        sizes = [(largest, 30), (33, largest - 2), (29, 31)]
        images = [torch.randint(0, 256, (3, *size), dtype=torch.uint8) for size in sizes]
        packed, noise = A.PackedImages.from_images(images), compiled.noise(torch.arange(3))
        expected = A.Pipeline(*compiled.layers)(packed, noise)
        torch.testing.assert_close(compiled(packed, noise), expected, rtol=0, atol=3e-5)
    assert graphs.frame_count == 1


def test_too_many_sizes_run_in_eager_mode(graphs, monkeypatch):
    """Past the limit of compilations there is one warning; sizes that are known stay compiled."""
    monkeypatch.setattr(speed.compiled, "_SIZES", 2)
    compiled = pipeline("layer:hflip", compile=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for height in (20, 30, 1, 40, 50):
            assert compiled(batch((height, 40), count=1 + height % 3)).image.shape[2:] == (height, 40)
    assert sum("bring images to fewer sizes" in str(w.message) for w in caught) == 1
    seen = graphs.frame_count
    compiled(batch((20, 40), count=3))
    assert graphs.frame_count == seen


@pytest.mark.parametrize("name", WHOLE)
def test_recipes_read_no_values_on_the_host(name):
    eager = pipeline(name)
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert eager(batch()).image.shape == (6, 3, 28, 28)


@pytest.mark.parametrize("name", WHOLE)
def test_no_graph_is_recorded_where_nothing_is_learned(name):
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        out = pipeline(name)(batch())
    assert not out.image.requires_grad
    assert not saved


PASSES = {"crop_flip": 36, "jitter": 280, "randaugment": 170, "three_augment": 95, "mixing": 59}
"""How many operators of eager mode may write a tensor of the size of images: lower it when they get fewer.

Some write a part of the samples only, and count as a whole pass."""


@pytest.mark.parametrize("name", WHOLE)
def test_eager_mode_makes_few_passes(name):
    eager, images = pipeline(name), batch(count=16)
    assert counted(lambda: eager(images)).passes <= PASSES[name]


def test_geometric_layers_are_one_pass_however_many():
    def passes(name):
        chain, images = pipeline(name), batch(count=16)
        return counted(lambda: chain(images)).passes

    # a frame's border acts on every pixel; nothing is sampled again
    assert passes("chain:8") - passes("chain:1") <= 7 * 16


@pytest.mark.parametrize("name", ["crop_flip", "jitter", "randaugment"])
def test_compiled_memory(name, tmp_path, monkeypatch):
    """At the worst moment no more than 2.5 times the output is allocated, the output among it, with ten chunks."""
    torch._dynamo.reset()
    monkeypatch.setattr(speed.chunks, "_MOST", 6 * 4 * 3 * 32 * 32)
    compiled, images = pipeline(name, compile=True), batch(count=64)
    out = compiled(images).image
    size = out.numel() * out.element_size()
    assert size <= most_allocated(lambda: compiled(images), tmp_path) <= 2.5 * size


@pytest.mark.parametrize("mix", [A.RandomMixUp, A.RandomCutMix])
@pytest.mark.parametrize("floats", [False, True], ids=["bytes", "floats"])
def test_memory_of_mixes(mix, floats, tmp_path):
    """The same for layers that read two images each, which they find in the whole batch."""
    mixing, images = A.Pipeline(mix(num_classes=10, p=1.0)), batch(count=64)
    if floats:
        images = images.replace(image=images.image / 255)
    out = mixing(images).image
    size = out.numel() * out.element_size()
    assert size <= most_allocated(lambda: mixing(images), tmp_path) <= 2.5 * size


def most_allocated(function, folder):
    """Bytes at the worst moment of a call beyond what was allocated before it, as torch's allocator counts them."""
    with torch.profiler.profile(profile_memory=True) as profile:
        function()
    profile.export_chrome_trace(str(folder / "trace.json"))
    events = json.loads((folder / "trace.json").read_text())["traceEvents"]
    allocated = peak = 0
    for event in sorted((e for e in events if e.get("name") == "[memory]"), key=lambda e: e["ts"]):
        allocated += event["args"]["Bytes"]
        peak = max(peak, allocated)
    return peak


def test_importing_the_library_loads_no_tools():
    script = "import sys, augment; print([m for m in sys.modules if m.startswith('augment.tools')])"
    out = subprocess.run([sys.executable, "-c", script], check=True, timeout=600, capture_output=True, text=True)
    assert out.stdout.strip() == "[]"


def test_compiled_draws_are_the_same_bits_in_one_graph():
    compiled = import_unchecked("augment.engine.compiling")
    noise, graphs = compiled.CompiledNoise(), []
    for epoch, count in ((0, 8), (1, 8), (7, 5), (torch.tensor(2**33), 6)):
        index = torch.arange(count) * 1_000_003
        assert torch.equal(noise(index, 3, epoch, 11), compiled.drawn(index, 3, epoch, 11))
        graphs.append(torch._dynamo.utils.counters["stats"]["unique_graphs"])
    assert graphs[0] == graphs[-1]


def test_importing_and_running_eagerly_loads_no_compiler():
    """It takes longer than everything else together."""
    script = (
        "import sys, torch, augment as A\n"
        "A.presets.imagenet(24)(torch.zeros(2, 3, 32, 32, dtype=torch.uint8))\n"
        "assert not {'torch._dynamo', 'torch._inductor', 'torchvision', 'matplotlib'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=600)


def test_a_foreign_stage_draws_the_same_inside_of_somebody_elses_graph():
    plain = import_unchecked("augment")
    pipeline = plain.Pipeline(plain.RandomInvert(), plain.Opaque(torch.nn.functional.dropout))
    images, noise = torch.rand(4, 3, 8, 8), pipeline.noise(torch.arange(4))
    assert torch.equal(torch.compile(pipeline)(images, noise), pipeline(images, noise))
