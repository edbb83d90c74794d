"""A pipeline as plain data, and back."""

import json

import pytest
import torch
import yaml
from hydra.utils import instantiate

import augment as A
from augment.layers.policies.learned import GATES, OPERATORS
from tests.conformance.catalogue import LAYERS, make


@pytest.mark.parametrize("name", sorted(set(LAYERS) - {"LearnedPolicy", "Opaque"}))
def test_a_layer_comes_back_from_its_config(name, photos):
    layer = make(name)
    again = instantiate(yaml.safe_load(yaml.safe_dump(layer.config())), _convert_="all")
    assert type(again) is type(layer)
    index = torch.arange(len(photos))
    batch = A.Batch(photos, label=torch.eye(8)[: len(photos)], mask=(photos[:, :1] > 0.5).long(), index=index)
    torch.testing.assert_close(again(batch, epoch=1).image, layer(batch, epoch=1).image, rtol=0, atol=0)


def test_what_was_learned_becomes_fixed():
    layer = A.RandomRotation(A.Uniform(-10, 20, learnable=True), p=A.Bernoulli(0.3, learnable=True))
    with torch.no_grad():
        layer.p.p.raw += 1.0
    config = layer.config()
    assert config["degrees"] == {
        "_target_": "augment.Uniform",
        "low": pytest.approx(-10, abs=1e-3),
        "high": pytest.approx(20, abs=1e-3),
    }
    assert config["p"] == pytest.approx(0.3 * torch.e / (0.7 + 0.3 * torch.e), abs=1e-4)
    assert not list(instantiate(config, _convert_="all").parameters())


def test_a_learned_policy_becomes_the_fixed_pipeline_it_draws_like(photos):
    names = (*OPERATORS, *GATES)
    pipeline = A.Pipeline(A.LearnedPolicy(names, width=0.3, probability=0.6), A.Normalize(0.5, 0.5), seed=5)
    with torch.no_grad():
        for i, parameter in enumerate(pipeline.parameters()):
            parameter += 0.1 * (i % 5)
    fixed = instantiate(yaml.safe_load(yaml.safe_dump(pipeline.config())), _convert_="all")
    assert not list(fixed.parameters())
    assert fixed.draws == pipeline.draws
    index = torch.arange(len(photos))
    ours, theirs = pipeline(photos, index=index), fixed(photos, index=index)
    torch.testing.assert_close(theirs, ours, rtol=0, atol=2e-3)  # float32 ends of ranges


def test_config_is_json():
    pipeline = A.Pipeline(
        A.RandomCrop((4, 4)), A.OneOf([A.RandomInvert(), A.RandomHue((0, 0.1))], (1, 3)), dtype="bfloat16"
    )
    assert json.loads(json.dumps(pipeline.config()))["dtype"] == "bfloat16"


def test_what_is_not_plain_data_is_named():
    layer = A.RandomRotation(10.0)
    layer._arguments = ((object(),), {})
    with pytest.raises(TypeError, match=r"RandomRotation: degrees=<object .* cannot be written as plain data"):
        layer.config()
