"""The pipeline: one draw for all layers, replay, explanation, nesting, dtypes, compilation."""

import copy
import json
import pickle
import subprocess
import sys

import pytest
import torch
import torch._dynamo.testing

import augment as A
from tests.unchecked import import_unchecked


def recipe(lib=A, **options):
    return lib.Pipeline(
        lib.RandomResizedCrop(24),
        lib.RandomHorizontalFlip(),
        lib.RandomAffine(15, (0.1, 0.1), (0.9, 1.1)),
        lib.ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8),
        lib.RandomGaussianBlur(3, p=0.3),
        lib.Normalize(lib.IMAGENET_MEAN, lib.IMAGENET_STD),
        lib.RandomErasing(p=0.25),
        **options,
    )


def policy_recipe(lib=A, **options):
    return lib.Pipeline(
        lib.RandAugment(n=2, m=9),
        lib.OneOf([lib.RandomInvert(p=1.0), lib.RandomElasticTransform(p=1.0), lib.RandomGaussianNoise(p=1.0)]),
        lib.TrivialAugmentWide(),
        lib.RandomOrder([lib.RandomHue((-0.2, 0.2), p=0.5), lib.RandomChannelShuffle(p=0.5)]),
        lib.Normalize(lib.IMAGENET_MEAN, lib.IMAGENET_STD),
        **options,
    )


def test_one_draw_for_all_layers(photos):
    pipeline = recipe()
    noise = pipeline.noise(torch.arange(8))
    assert noise.shape == (8, pipeline.draws)
    assert pipeline.draws == sum(layer.draws for layer in pipeline.layers)
    out = pipeline(photos, noise)
    assert out.shape == (8, 3, 24, 24)
    assert torch.equal(out, pipeline(photos, noise)), "replay is bitwise"


def test_draws_do_not_depend_on_batch_order_or_size(photos):
    pipeline = recipe(seed=5)
    index = torch.tensor([4, 0, 7, 2, 6, 1, 3, 5])
    whole = pipeline(photos, index=torch.arange(8), epoch=2)
    parts = torch.cat([pipeline(photos[index[i : i + 3]], index=index[i : i + 3], epoch=2) for i in (0, 3, 6)])
    torch.testing.assert_close(parts, whole[index], rtol=0, atol=1e-5)
    assert not torch.equal(whole, pipeline(photos, index=torch.arange(8), epoch=3))
    assert not torch.equal(whole, recipe(seed=6)(photos, index=torch.arange(8), epoch=2))


def test_calls_without_an_index_differ(photos):
    pipeline = recipe()
    assert not torch.equal(pipeline(photos), pipeline(photos))


def test_pickled_pipelines_behave_alike(photos):
    pipeline = recipe()
    noise = pipeline.noise(torch.arange(8))
    assert torch.equal(pickle.loads(pickle.dumps(pipeline))(photos, noise), pipeline(photos, noise))


def test_nested_pipelines_are_flat(photos):
    pipeline = recipe()
    nested = A.Pipeline(A.Pipeline(*pipeline.layers[:2]), A.Pipeline(A.Pipeline(*pipeline.layers[2:])))
    noise = pipeline.noise(torch.arange(8))
    assert torch.equal(pipeline(photos, noise), nested(photos, noise))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_output_dtype(dtype, photos):
    pipeline = recipe(dtype=dtype)
    noise = pipeline.noise(torch.arange(8))
    out = pipeline(photos, noise)
    assert out.dtype == dtype
    assert out.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(out, recipe()(photos, noise).to(dtype), rtol=0, atol=1e-6)


def test_bytes_out(photos):
    pipeline = A.Pipeline(A.RandomBrightness((0.5, 1.5)), dtype="uint8")
    noise = pipeline.noise(torch.arange(8))
    expected = (pipeline.layers[0](photos, noise) * 255).round().to(torch.uint8)
    assert torch.equal(pipeline(photos, noise), expected)


def test_evaluation_is_deterministic_preprocessing(photos):
    pipeline = A.Pipeline(
        A.Resize((24, 20)), A.RandomHorizontalFlip(p=1.0), A.ColorJitter(0.4), A.Normalize(0.5, 0.25)
    ).eval()
    expected = A.Pipeline(A.Resize((24, 20)), A.Normalize(0.5, 0.25))(photos)
    assert torch.equal(pipeline(photos), expected)
    assert torch.equal(pipeline(photos), pipeline(photos))


@pytest.mark.parametrize("build", [recipe, policy_recipe], ids=["layers", "policies"])
def test_explanations_replay_in_another_process(build, photos, tmp_path):
    pipeline = build(seed=1)
    noise = pipeline.noise(torch.arange(8), epoch=4)
    told = [pipeline.explain(row, size=(29, 37)) for row in noise]
    assert [entry["layer"] for entry in told[2]["layers"]] == [type(leaf).__name__ for leaf in pipeline.leaves()]
    torch.save(photos, tmp_path / "photos.pt")
    (tmp_path / "told.json").write_text(json.dumps(told))
    script = (
        "import json, sys, torch, augment as A\n"
        f"sys.path.insert(0, {sys.path[0]!r})\n"
        f"from tests.core.test_pipeline import {build.__name__} as build\n"
        f"told = json.load(open({str(tmp_path / 'told.json')!r}))\n"
        f"images = torch.load({str(tmp_path / 'photos.pt')!r})\n"
        "noise = torch.tensor([entry['noise'] for entry in told])\n"
        f"torch.save(build(seed=9)(images, noise), {str(tmp_path / 'out.pt')!r})\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=600)
    assert torch.equal(torch.load(tmp_path / "out.pt"), pipeline(photos, noise))


def test_explanation_gives_pixels_of_the_image_at_that_point():
    pipeline = A.Pipeline(A.Resize((100, 200)), A.RandomAffine(0.0, (0.5, 0.5), p=1.0), A.RandomErasing(p=0.0))
    told = pipeline.explain(torch.full((pipeline.draws,), 0.75), size=(10, 10))
    assert told["size"] == [10, 10]
    assert told["layers"][1]["translate_x"] == pytest.approx(50)
    assert told["layers"][1]["translate_y"] == pytest.approx(25)
    assert told["layers"][2]["applied"] is False


def test_gradients_reach_images_and_learnable_bounds(photos):
    pipeline = A.Pipeline(
        A.RandomRotation(A.Uniform(-15, 15, learnable=True), p=A.Bernoulli(0.9, learnable=True)),
        A.ColorJitter(A.Uniform(0.6, 1.4, learnable=True)),
    )
    images = (photos / 255).requires_grad_()
    pipeline(images).square().mean().backward()
    assert images.grad.abs().sum() > 0
    named = dict(pipeline.named_parameters())
    assert named["layers.0.degrees.bounds.raw"].grad.abs().min() > 0
    assert named["layers.1.brightness.bounds.raw"].grad.abs().min() > 0
    assert named["layers.0.p.p.raw"].grad is None, "a hard gate has no pathwise gradient"


def test_state_holds_what_is_learned_and_nothing_else():
    assert not recipe().state_dict()
    learnable = A.Pipeline(A.RandomRotation(A.Uniform(-15, 15, learnable=True)))
    assert list(learnable.state_dict()) == ["layers.0.degrees.bounds.raw"]
    assert not list(learnable.buffers())


def test_output_size():
    pipeline = A.Pipeline(A.Resize(50), A.RandomCrop((30, 40)), A.RandomRotation(10))
    assert pipeline.out_size((100, 80)) == (30, 40)
    assert A.Pipeline(A.Resize(50), A.RandomRotation(10)).out_size((100, 80)) == (62, 50)


def test_importing_needs_nothing_but_torch_and_kornia():
    script = (
        "import sys\n"
        "blocked = ('pytorch_lightning', 'lightning', 'hydra', 'omegaconf', 'timm', 'torchvision', 'jsonargparse',\n"
        "           'torchmetrics', 'sklearn', 'matplotlib', 'rich', 'jaxtyping', 'beartype')\n"
        "for name in blocked: sys.modules[name] = None\n"
        "import torch, augment as A\n"
        "print(A.Pipeline(A.RandomResizedCrop(8), A.ColorJitter(0.4))(torch.rand(2, 3, 9, 9)).shape)\n"
    )
    out = subprocess.run([sys.executable, "-c", script], check=True, timeout=600, capture_output=True, text=True)
    assert "[2, 3, 8, 8]" in out.stdout


# --------------------------------------------------------------------------------------------------------- compiled

plain = import_unchecked("augment")
execute_whole = plain.engine.execution.execute_whole


def test_compiled_equals_eager_and_survives_copies(photos):
    pipeline = recipe(plain, compile=True)
    noise = pipeline.noise(torch.arange(8))
    eager = recipe(plain)(photos, noise)
    assert torch.allclose(pipeline(photos, noise), eager, rtol=0, atol=1e-3)
    assert torch.equal(copy.deepcopy(pipeline)(photos, noise), pipeline(photos, noise))
    assert not pipeline.state_dict(), "no _orig_mod prefix, no compiled state"


def test_draws_from_a_key_are_those_of_the_noise(photos):
    """Code for a GPU draws where it augments; a key is what `noise` is a function of."""
    pipeline, index = recipe(plain, compile=False, seed=5), torch.arange(8) * 1_000_003
    for epoch in (7, torch.tensor(7)):
        key, noise = plain.draws.noise.key_of(index, epoch), pipeline.noise(index, 7)
        drawn, expected = (execute_whole(pipeline, plain.Batch(photos), draws).image for draws in (key, noise))
        assert torch.equal(drawn, expected)


def test_tables_on_another_device_are_named_before_anything_is_compiled(photos):
    pipeline = plain.Pipeline(plain.RandomMixUp(plain.Beta(0.2, 0.2), num_classes=10), compile=True).to("meta")
    batch = plain.Batch(photos, label=torch.arange(8))
    with pytest.raises(ValueError, match=r"images are on cpu, .* on meta: call \.to\('cpu'\)"):
        execute_whole(pipeline, batch, torch.rand(8, pipeline.draws))


def test_gradients_flow_through_compiled_code(photos):
    def gradient(compile):
        pipeline = plain.Pipeline(
            plain.RandomRotation(plain.Uniform(-15, 15, learnable=True), p=1.0),
            plain.ColorJitter(0.4),
            compile=compile,
        )
        noise = pipeline.noise(torch.arange(8))
        pipeline(photos / 255, noise).square().mean().backward()
        return next(pipeline.parameters()).grad

    torch.testing.assert_close(gradient(True), gradient(False), rtol=1e-3, atol=1e-6)


def test_compiling_the_hash():
    torch._dynamo.reset()
    noise = import_unchecked("augment.draws.noise")
    compiled = torch.compile(noise.uniform, fullgraph=True)
    for epoch in range(3):
        index = torch.arange(50) + epoch
        assert torch.equal(compiled(3, torch.tensor(epoch), index, 7), noise.uniform(3, epoch, index, 7))
