"""Tests of the promises that hold for every exported layer."""

import copy
import inspect
import json
import pickle

import pytest
import torch

import augment as A
from tests.conformance.catalogue import ALONE, LAYERS, MIXES, RANDOM, as_batch, draw, make, run, same_size

every_layer = pytest.mark.parametrize("name", LAYERS)
every_random_layer = pytest.mark.parametrize("name", RANDOM)
every_lone_layer = pytest.mark.parametrize("name", ALONE)
pytestmark = pytest.mark.filterwarnings("error")


@every_layer
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_dtype_shape_and_memory_order(name, dtype, photos):
    layer = make(name)
    images = photos if dtype == torch.uint8 else (photos / 255).to(dtype)
    before = images.clone()
    out = run(layer, images, draw(layer))
    assert out.dtype == (torch.float32 if dtype == torch.uint8 else dtype)
    assert out.shape == (*images.shape[:2], *layer.out_size((29, 37)))
    assert out.is_contiguous(memory_format=torch.channels_last)
    assert out.device == images.device
    assert torch.isfinite(out).all()
    assert torch.equal(images, before), "the input was changed in place"


@every_layer
def test_half_precision_is_only_rounded(name, photos):
    """Pixels and positions are computed in float32 for any input dtype, output dtype and autocast."""
    layer, images = make(name), (photos / 255).to(torch.bfloat16)
    noise = draw(layer)
    exact = run(layer, images.float(), noise)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = run(layer, images, noise)
    assert torch.equal(out, exact.to(torch.bfloat16))


@every_layer
def test_bytes_are_unit_floats(name, photos):
    layer, noise = make(name), draw(make(name))
    as_float = run(layer, photos * torch.tensor(1 / 255), noise)
    torch.testing.assert_close(run(layer, photos, noise), as_float, rtol=0, atol=2e-5)


@every_layer
def test_layout_of_the_input_does_not_matter(name, photos):
    layer, noise = make(name), draw(make(name))
    planar = run(layer, photos.contiguous(), noise)
    torch.testing.assert_close(run(layer, photos, noise), planar, rtol=0, atol=0)
    strided = torch.stack([photos, photos], dim=-1)[..., 0]
    torch.testing.assert_close(run(layer, strided, noise), planar, rtol=0, atol=0)


@every_layer
def test_noise_is_the_only_randomness(name, photos):
    layer, state = make(name), torch.get_rng_state()
    noise = draw(layer)
    first = run(layer, photos, noise)
    assert torch.equal(first, run(layer, photos, noise))
    assert torch.equal(torch.get_rng_state(), state), "torch's generator was used"
    if layer.draws:
        assert not torch.equal(first, run(layer, photos, draw(layer, seed=1)))


@every_layer
def test_every_column_of_noise_belongs_to_one_draw(name):
    layer = make(name, p=0.5) if name in RANDOM else make(name)
    noise = torch.cat([torch.zeros(1, layer.draws), torch.eye(layer.draws)]) * 0.5 + 0.3
    drawn = [value for quantity, value in layer.params(noise).items() if "." not in quantity]
    changed = [(value[1:] != value[:1]).reshape(layer.draws, -1).sum(1) for value in drawn if value.numel()]
    assert layer.draws == 0 or max(sum(changed).tolist(), default=0) <= 1


@every_layer
def test_noise_of_the_wrong_width_is_refused(name, photos):
    layer = make(name)
    with pytest.raises(ValueError, match=f"{name}.*draws"):
        run(layer, photos, torch.rand(8, layer.draws + 1))


@every_random_layer
def test_probability_zero_is_the_identity_to_the_bit(name, photos):
    layer = make(name, p=0.0)
    if not same_size(layer):
        pytest.skip("test_warping.py covers samples that the gate leaves out")
    images = photos / 255 * 3 - 1  # includes values outside [0, 1]
    assert torch.equal(run(layer, images, draw(layer)), images)
    assert torch.equal(run(layer, photos, draw(layer)), photos * torch.tensor(1 / 255))


@every_random_layer
def test_the_gate_chooses_samples(name, photos):
    layer = make(name, p=0.5)
    images = photos / 255
    noise = draw(layer)
    gate = noise[:, 0] < 0.5
    assert gate.any()
    assert not gate.all()
    out, forced = run(layer, images, noise), run(make(name), images, noise[:, 1:])
    if name in ALONE:
        torch.testing.assert_close(out[gate], forced[gate], rtol=0, atol=1e-5)
    if same_size(layer):
        assert torch.equal(out[~gate], images[~gate])


@every_random_layer
@pytest.mark.parametrize("p", [-0.1, 1.5])
def test_an_impossible_probability_is_refused(name, p):
    with pytest.raises(ValueError, match=rf"{name}: p={p} must lie within \[0, 1\]"):
        make(name, p=p)


@every_layer
def test_an_unknown_argument_is_refused(name):
    with pytest.raises(TypeError, match="no_such_argument"):
        make(name, no_such_argument=1)


@every_layer
def test_permuting_the_batch_permutes_the_output(name, photos):
    layer, order = make(name), torch.tensor([3, 1, 7, 0, 2, 6, 5, 4])
    noise = draw(layer)
    permuted = run_permuted(layer, photos, noise, order)
    torch.testing.assert_close(permuted, run(layer, photos, noise)[order], rtol=0, atol=1e-6)


def run_permuted(layer, photos, noise, order):
    if isinstance(layer, A.Mix):
        batch = as_batch(photos)
        return layer(batch.map(lambda part: part[order]), noise[order]).image
    return layer(photos[order], noise[order])


@every_lone_layer
def test_a_sample_does_not_depend_on_its_batch(name, photos):
    layer, noise = make(name), draw(make(name))
    together = run(layer, photos, noise)
    for i in (0, 5):
        torch.testing.assert_close(run(layer, photos[i : i + 1], noise[i : i + 1])[0], together[i], rtol=0, atol=1e-6)


@every_layer
def test_not_a_number_stays_in_its_sample(name, photos):
    layer = make(name)
    images = photos / 255
    noise = draw(layer)
    images[2] = float("nan")
    out = run(layer, images, noise)
    bad = {2}
    if isinstance(layer, A.Mix):
        partner = layer.partner(layer.params(noise))
        bad |= {i for i in range(8) if (partner[i] == 2).any()}  # some samples have several partners
    assert {i for i in range(8) if not torch.isfinite(out[i]).all()} <= bad


@every_layer
def test_zero_magnitude_is_the_identity(name, photos):
    if LAYERS[name].identity is None:
        pytest.skip("has no magnitude")
    layer, images = make(name, **LAYERS[name].identity), photos / 255
    torch.testing.assert_close(run(layer, images, draw(layer)), images, rtol=0, atol=2e-6)


@every_layer
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 6), (7, 1), (13, 8)], ids=str)
@pytest.mark.parametrize("batch", [0, 1, 3])
def test_any_size_channels_and_batch(name, channels, size, batch):
    layer = make(name)
    images = torch.linspace(0, 1, batch * channels * size[0] * size[1]).view(batch, channels, *size)
    if name in ("CenterCrop", "RandomCrop") and (size[0] < 9 or size[1] < 10):
        layer = type(layer)((1, 1))
    out = run(layer, images, draw(layer, batch))
    assert out.shape == (batch, channels, *layer.out_size(size))
    assert torch.isfinite(out).all()


@every_random_layer
def test_same_on_batch(name, photos):
    layer = make(name, same_on_batch=True, p=0.5)
    images = photos[:1].expand(8, -1, -1, -1)
    if name in MIXES:
        params = layer.params(draw(layer))
        assert all((value == value[:1]).all() for name, value in params.items() if name != "pairing")
        return
    out = run(layer, images, draw(layer))
    torch.testing.assert_close(out, out[:1].expand_as(out), rtol=0, atol=1e-6)


@every_lone_layer
def test_frames_of_a_clip_share_their_draw(name, photos):
    layer, clips = make(name), photos[:2, None].expand(-1, 4, -1, -1, -1)
    noise = draw(layer, 2)
    out = layer(clips, noise)
    single = layer(photos[:2], noise)
    assert out.shape == (2, 4, *single.shape[1:])
    torch.testing.assert_close(out, single[:, None].expand_as(out), rtol=0, atol=1e-6)


@every_lone_layer
def test_one_image_without_a_batch_dimension(name, photos):
    layer, noise = make(name), draw(make(name), 1)
    assert torch.equal(layer(photos[0], noise), layer(photos[:1], noise)[0])


@every_layer
def test_evaluation_applies_only_what_is_not_random(name, photos):
    layer = make(name).eval()
    out = layer(as_batch(photos)).image
    if layer.deterministic:
        assert torch.equal(out, run(layer.train(), photos, draw(layer)))
    else:
        assert torch.equal(out, photos * torch.tensor(1 / 255))


@every_layer
def test_copies_behave_alike(name, photos):
    layer, noise = make(name), draw(make(name))
    out = run(layer, photos, noise)
    assert torch.equal(run(copy.deepcopy(layer), photos, noise), out)
    assert torch.equal(run(pickle.loads(pickle.dumps(layer)), photos, noise), out)


@every_layer
def test_no_state(name):
    """No state exists that DDP would overwrite, weight averaging freeze or a checkpoint restore."""
    learned = {n for n, _ in make(name).named_parameters()}
    assert set(make(name).state_dict()) == learned
    assert bool(learned) == (name == "LearnedPolicy")


@every_layer
def test_explanation_is_plain_data_and_replays(name, photos):
    layer, noise = make(name), draw(make(name))
    told = json.loads(json.dumps(layer.explain(noise[3], (29, 37))))
    assert [entry["layer"] for entry in told["layers"]] == [type(leaf).__name__ for leaf in layer.leaves()]
    assert any(entry["applied"] for entry in told["layers"]) or len(told["layers"]) > 1
    assert torch.equal(torch.tensor([told["noise"]]).reshape(1, -1), noise[3:4])


@every_layer
def test_draws_are_keyed_by_seed_epoch_and_index(name, photos):
    layer, index = make(name), torch.tensor([5, 9, 2, 5])
    images = photos[[0, 1, 2, 0]]
    batch = as_batch(images).replace(index=index)
    first = layer(batch, epoch=3).image
    alone = run(layer, images, layer.noise(index, 3))
    assert torch.equal(first, alone)
    if layer.draws and name in ALONE:
        assert torch.equal(first[0], first[3]), "the same sample twice in a batch gets the same draw"
        assert not torch.equal(first, layer(batch, epoch=4).image)


@every_layer
def test_documentation_names_every_argument(name):
    doc = LAYERS[name].__doc__
    assert doc
    for argument in inspect.signature(LAYERS[name]).parameters:
        assert argument in doc, f"{name}: {argument} is not documented"
