"""AutoAugment with a policy of one's own: validated, drawn as given, and the same from YAML."""

import pytest
import torch
import yaml
from hydra.utils import instantiate

import augment as A
from augment.layers.policies.autoaugment_tables import POLICIES

POLICY = [[("ShearX", 0.9, 4), ("Invert", 0.2, 3)], [("solarize", 1 / 3, 2.5)], [("Equalize", 1.0, None)] * 3]


def images(count: int = 64) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, 20, 24), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


@pytest.mark.parametrize("name", POLICIES)
def test_a_published_table_as_a_list_is_the_published_policy(name):
    own, known = A.AutoAugment([list(pair) for pair in POLICIES[name]]), A.AutoAugment(name)
    noise = known.noise(torch.arange(64))
    assert torch.equal(own(images(), noise), known(images(), noise))


def test_operators_are_drawn_with_their_probabilities():
    layer = A.AutoAugment(POLICY)
    drawn = layer.leaf_params(layer.noise(torch.arange(30_000)))
    first, second, third = drawn[0], drawn[2], drawn[4]
    names = [operator.name for operator in layer.halves[0].operators]
    for params, operator, share in (
        (first, "ShearX", 0.9 / 3),
        (second, "Invert", 0.2 / 3),
        (first, "Solarize", 1 / 9),
        (third, "Equalize", 1 / 3),
    ):
        taken = (params["op"] == names.index(operator)) & params["gate"]
        assert taken.float().mean().item() == pytest.approx(share, abs=0.01)
    level = first["level"][first["op"] == names.index("Solarize")]
    torch.testing.assert_close(level, torch.full_like(level, 2.5 / 9))


def test_it_loads_from_yaml():
    text = """
    _target_: augment.AutoAugment
    policy:
      - [[ShearX, 0.9, 4], [Invert, 0.2, 3]]
      - [[Solarize, 0.333, 2.5]]
    """
    layer = instantiate(yaml.safe_load(text))
    again = instantiate(yaml.safe_load(yaml.safe_dump(layer.config())))
    noise = layer.noise(torch.arange(64))
    assert torch.equal(layer(images(), noise), again(images(), noise))


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ([], r"AutoAugment: policy=\[\] must be one of imagenet, .*, or a list of 1 to"),
        ("coco", "AutoAugment: policy='coco' must be one of imagenet"),
        ([[]], r"AutoAugment: policy\[0\]=\[\] must be a list of 1 to"),
        ([("ShearX", 0.9, 4)], r"AutoAugment: policy\[0\]\[0\]='ShearX' must be \(operator, probability, magnitude\)"),
        ([[("ShearX", 0.9)]], r"AutoAugment: policy\[0\]\[0\]=\('ShearX', 0.9\) must be \(operator"),
        ([[("Blur", 0.9, 1)]], r"policy\[0\]\[0\]=.*: the operator must be one of Identity, ShearX"),
        ([[("Invert", 0.5, 1), ("ShearX", 1.5, 4)]], r"policy\[0\]\[1\]: probability=1.5 must lie within \[0, 1\]"),
        ([[("ShearX", 0.5, 10)]], r"policy\[0\]\[0\]: magnitude=10 must lie within \[0, 9\]"),
    ],
)
def test_what_is_refused(policy, message):
    with pytest.raises(ValueError, match=message):
        A.AutoAugment(policy)
