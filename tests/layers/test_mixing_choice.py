"""A choice between ways of mixing, made for every sample by itself."""

import math

import pytest
import torch

import augment as A
from tests.layers.test_mixing import scene


def test_every_sample_chooses_its_mix_as_in_timm():
    """Mixup(mixup_alpha=0.8, cutmix_alpha=1.0, prob=0.9, switch_prob=0.3, mode="elem")."""
    count = 1000
    image = torch.arange(1.0, count + 1)[:, None, None, None].expand(count, 1, 16, 16) / count
    layer = A.RandomMix([A.RandomMixUp(A.Beta(0.8, 0.8)), A.RandomCutMix(beta=1.0)], weights=(0.7, 0.3), p=0.9)
    noise = layer.noise(torch.arange(count))
    out, params = layer(A.Batch(image, label=torch.eye(count)), noise), layer.params(noise)
    assert (out.label > 0).sum(1).max() == 2, "partners are the images as they came in"
    partner = torch.eye(count)[layer.partner(params)]
    assert ((out.label > 0) <= ((torch.eye(count) + partner) > 0)).all()
    values = out.image.flatten(1)
    pasted = values.amin(1) != values.amax(1)
    blended = (out.label.amax(1) < 1) & ~pasted
    assert blended.float().mean() == pytest.approx(0.9 * 0.7, abs=0.05)
    assert pasted.float().mean() == pytest.approx(0.9 * 0.3, abs=0.05)
    assert torch.equal(out.label[~params["gate"]], torch.eye(count)[~params["gate"]])


def test_a_choice_of_one_mix_is_that_mix():
    source = scene()
    for mix in (A.RandomCutMix(), A.RandomMosaic(p=0.5)):
        layer = A.RandomMix([A.ResizeMix(), mix], weights=(0, 1))
        noise = layer.noise(torch.arange(16))
        columns = noise[:, layer.own_draws :][:, : mix.draws].clone()
        columns[:, mix.p.draws] = noise[:, 0]  # partners are the choice's
        out, alone = layer(source, noise), mix(source, columns)
        for name, part in alone.parts().items():
            torch.testing.assert_close(getattr(out, name), part, msg=name)


def test_a_choice_of_mixes_has_rows_for_the_largest():
    layer = A.RandomMix([A.RandomMixUp(), A.RandomMosaic(p=1.0)], p=0.5)
    source, noise = scene(), layer.noise(torch.arange(16))
    params = layer.params(noise)
    out, mosaic = layer(source, noise), params["gate"] & (params["choice"] == 1)
    assert out.boxes.shape == (16, 8, 4)
    assert torch.equal(out.boxes[~mosaic, :2], source.boxes[~mosaic])
    assert not out.boxes_visible[~mosaic, 2:].any()
    assert out.boxes_visible[mosaic, 2:].any()


def test_the_weights_of_a_choice_of_mixes_can_be_learned():
    layer = A.RandomMix([A.RandomMixUp(), A.RandomMosaic(p=A.Bernoulli(0.5, learnable=True))], (1, 3), learnable=True)
    noise = layer.noise(torch.arange(400))
    assert layer.params(noise)["choice"].mean() == pytest.approx(0.75, abs=0.06)
    log_p = layer.log_prob(noise)
    expected = {round(math.log(p), 4) for p in (0.25, 0.75 * 0.5)}
    assert {round(value, 4) for value in log_p.tolist()} == expected
    log_p.sum().backward()
    assert all((parameter.grad != 0).all() for parameter in layer.parameters())
    assert layer.config()["weights"] == pytest.approx([0.25, 0.75])


def test_a_choice_of_mixes_tells_what_a_sample_got():
    layer = A.RandomMix([A.RandomMixUp(0.3), A.RandomCutMix(0.75)])
    told = [layer.explain(row, (20, 24))["layers"][0] for row in layer.noise(torch.arange(20))]
    assert {entry["choice"] for entry in told} == {"RandomMixUp", "RandomCutMix"}
    assert {entry["height"] for entry in told if entry["choice"] == "RandomCutMix"} == {10.0}
    assert not any("height" in entry for entry in told if entry["choice"] == "RandomMixUp")
