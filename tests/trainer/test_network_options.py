"""Settings of optimizer and network: rates by layer, clipping, compilation, own weights, names of the Hub."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig
from timm.models import save_for_hf
from timm.optim import param_groups_layer_decay

from lightning_modules.errors import UserError
from lightning_modules.launching import start
from lightning_modules.launching.settings import check_settings
from lightning_modules.model.backbones import timm_backbone
from tests.trainer.tools import ROOT, build
from train import train

OPTIONS = re.findall(r"^\| `([^`]+)` \|", (ROOT / "docs" / "training.md").read_text(), re.MULTILINE)
SMALL = ["experiment=smoke", "model=small_cnn", "model.width=8", "data.size=8"]
TINY = ["experiment=smoke", "data.size=16"]
Configure = Callable[..., DictConfig]


def rates(optimizer: torch.optim.Optimizer, model: torch.nn.Module) -> dict[str, tuple[float, float]]:
    """Return (learning rate, weight decay) of each weight."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {names[id(p)]: (g["lr"], g["weight_decay"]) for g in optimizer.param_groups for p in g["params"]}


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_layer_decay_is_that_of_timm(configure: Configure, name: str) -> None:
    settings = ["classifier.layer_decay=0.5", "optimizer.lr=0.1", "optimizer.weight_decay=0.07", f"model.name={name}"]
    _, model, _ = build(configure("scheduler=none", *settings))
    network = model.backbone
    exempt = network.no_weight_decay() if hasattr(network, "no_weight_decay") else ()
    groups = param_groups_layer_decay(network, 0.07, exempt, layer_decay=0.5)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    wanted = {
        f"backbone.{names[id(p)]}": (pytest.approx(0.1 * group["lr_scale"]), group["weight_decay"])
        for group in groups
        for p in group["params"]
    }
    optimizer = model.configure_optimizers()["optimizer"]
    assert rates(optimizer, model) == wanted
    assert len(wanted) == len(list(model.parameters()))
    assert not any("lr_scale" in group for group in optimizer.param_groups)


def test_layer_decay_goes_with_schedules(configure: Configure) -> None:
    layers = [*TINY, "classifier.layer_decay=0.5", "optimizer.lr=0.1"]
    trainer, model, data = build(configure(*layers, "scheduler=one_cycle", "trainer.max_epochs=1"))
    trainer.fit(model, data)
    highest = [group["max_lr"] for group in trainer.optimizers[0].param_groups]
    assert max(highest) == pytest.approx(0.1)
    assert min(highest) < 0.02
    trainer, model, data = build(
        configure(*layers, "scheduler._target_=torch.optim.lr_scheduler.OneCycleLR", "+scheduler.max_lr=1")
    )
    with pytest.raises(UserError, match=r"OneCycleLR gives all layers one learning rate: .* use scheduler=one_cycle"):
        trainer.fit(model, data)


def test_layer_decay_that_cannot_be(configure: Configure) -> None:
    with pytest.raises(UserError, match=r"layer_decay=0\.5 needs a network of timm, .* a Sequential does not"):
        train(configure(*SMALL, "classifier.layer_decay=0.5"))
    with pytest.raises(Exception, match=r"layer_decay=2 must lie within \(0, 1\], or be null"):
        build(configure(*SMALL, "classifier.layer_decay=2"))


def test_clipped_gradients_move_weights_less(configure: Configure) -> None:
    moved = {}
    for clip in ("null", "1e-3"):
        cfg = configure(
            *SMALL,
            "optimizer=sgd",
            "optimizer.lr=1",
            "optimizer.weight_decay=0",
            "scheduler=none",
            f"trainer.gradient_clip_val={clip}",
            "trainer.max_steps=1",
        )
        trainer, model, data = build(cfg)
        before = torch.cat([p.detach().flatten().clone() for p in model.parameters()])
        trainer.fit(model, data)
        moved[clip] = (torch.cat([p.detach().flatten() for p in model.parameters()]) - before).norm().item()
    assert moved["null"] > 0.01
    assert moved["1e-3"] == pytest.approx(1.9e-3, rel=0.01)  # Nesterov's first step is 1 + 0.9 times the gradient


def test_compile_keeps_the_names_and_the_results(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile with dynamo only, because writing C++ takes long."""
    compiled = []

    def counted(function: Callable, *arguments: object, **options: object) -> Callable:
        compiled.append(function)
        return plain(function, *arguments, backend="eager", **options)

    plain = torch.compile
    _, model, _ = build(configure(*SMALL))
    monkeypatch.setattr(torch, "compile", counted)
    trainer, fast, data = build(configure(*SMALL, "compile=true"))
    assert len(compiled) == 1
    assert list(fast.state_dict()) == list(model.state_dict())
    batch = data.example(4)
    torch.testing.assert_close(fast.eval()(batch), model.eval()(batch))
    fast.train()
    trainer.fit(fast, data)
    assert trainer.global_step == 4


def test_weights_of_a_run_and_of_timm(configure: Configure, tmp_path: Path) -> None:
    train(configure(*TINY, "test=false"))
    best = tmp_path / "run" / "checkpoints" / "best.ckpt"
    _, model, _ = build(configure(*TINY, f"model.checkpoint_path={best}"))
    for name, value in torch.load(best)["state_dict"].items():
        assert torch.equal(value, model.state_dict()[name]), name
    plain = tmp_path / "weights.pth"
    torch.save(model.backbone.state_dict(), plain)
    network = timm_backbone("test_resnet", 10, 1, checkpoint_path=str(plain))
    assert torch.equal(network.fc.weight, model.backbone.fc.weight)
    with pytest.raises(UserError, match="is not a file with the weights of test_resnet for 7 classes"):
        timm_backbone("test_resnet", 7, 1, checkpoint_path=str(best))
    start.refuse_random_weights(configure("train=false", f"model.checkpoint_path={best}"), None, model)


def test_a_network_from_a_folder_of_the_hub(tmp_path: Path) -> None:
    network = timm_backbone("test_vit", 10, size=32)
    save_for_hf(network, tmp_path)
    again = timm_backbone(f"local-dir:{tmp_path}", 10, size=48, pretrained=True)
    assert torch.equal(again.head.weight, network.head.weight)
    assert again.patch_embed.img_size == (48, 48)
    other = timm_backbone(f"local-dir:{tmp_path}", 7, size=32, pretrained=True)
    assert other.head.weight.shape[0] == 7


def test_the_hub_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError) as caught:
        timm_backbone("hf-hub:somebody/some_network", 10, pretrained=True)
    assert str(caught.value).startswith("the weights of hf-hub:somebody/some_network cannot be loaded (")
    assert str(caught.value).endswith("connect to the network or check its name.")


def test_a_new_last_layer_is_not_tested(configure: Configure, tmp_path: Path) -> None:
    save_for_hf(timm_backbone("test_resnet", 7, 1), tmp_path)
    hub = [f"model.name=local-dir:{tmp_path}", "model.pretrained=true"]
    with pytest.raises(UserError, match=r"train=false needs trained weights, .* is published with 7 classes"):
        train(configure(*TINY, *hub, "train=false"))


def test_every_option_of_the_documentation_composes(configure: Configure) -> None:
    """Options of different groups are composed together, to save time."""
    assert len(OPTIONS) > 25
    together: list[dict[str, list[str]]] = []
    for option in OPTIONS:
        words = shlex.split(option)
        groups = {re.split(r"[.=]", word.lstrip("+"))[0] for word in words}
        place = next((found for found in together if not groups & found.keys()), None)
        if place is None:
            together.append(place := {})
        place.update({group: [] for group in groups} | {min(groups): words})
    for found in together:
        check_settings(configure(*(word for words in found.values() for word in words)))
