"""A checkpoint is enough to have its model again: in a fresh process, without Hydra, without arguments."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from PIL import Image

import lightning_modules
from lightning_modules.classifier import ImageClassifier
from lightning_modules.errors import UserError
from lightning_modules.model.description import targets
from tests.trainer.tools import QUIET, ROOT, build

SHORT = ["trainer.max_epochs=1", "trainer.limit_train_batches=3", "trainer.limit_val_batches=1"]
PHOTO = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def trained(folder: Path, *overrides: str) -> tuple[ImageClassifier, Path]:
    """Train for a moment, and return the model and its checkpoint."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose(
            "train", [*QUIET, *SHORT, "logger=none", "callbacks.logs=null", f"output_dir={folder}", *overrides]
        )
    cfg.callbacks.learning_rate = None
    trainer, model, data = build(cfg)
    model.config = OmegaConf.to_container(cfg.classifier, resolve=True)
    trainer.fit(model, data)
    return model.eval(), folder / "checkpoints" / "last.ckpt"


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> tuple[ImageClassifier, Path]:
    return trained(tmp_path_factory.mktemp("digits"))


def changed(path: Path, folder: Path, **description: Any) -> Path:
    """Write a copy of a checkpoint with other entries in its description."""
    content = torch.load(path, weights_only=True)
    content["description"] |= description
    torch.save(content, folder / "changed.ckpt")
    return folder / "changed.ckpt"


def test_a_fresh_process_without_hydra_gives_the_same_logits(digits: tuple[ImageClassifier, Path], tmp_path: Path):
    model, path = digits
    images = torch.randint(0, 256, (5, 1, 8, 8), dtype=torch.uint8)
    torch.save(images, tmp_path / "images.pt")
    program = f"""
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("hydra", "omegaconf"):
            raise ModuleNotFoundError(f"{{name}} is blocked", name=name)

sys.meta_path.insert(0, Blocker())
import torch
import lightning_modules
model = lightning_modules.load({str(path)!r}, device="cpu")
images = torch.load({str(tmp_path / "images.pt")!r}, weights_only=True)
assert not model.training and model.class_names == list("0123456789")
with torch.no_grad():
    torch.save((model(images), model.predict(images)), {str(tmp_path / "logits.pt")!r})
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert ended.returncode == 0, ended.stderr
    logits, probabilities = torch.load(tmp_path / "logits.pt", weights_only=True)
    with torch.no_grad():
        torch.testing.assert_close(logits, model(images), rtol=0, atol=1e-6)
    torch.testing.assert_close(probabilities, logits.softmax(1), rtol=0, atol=1e-6)


def test_lightnings_own_way_needs_no_arguments(digits: tuple[ImageClassifier, Path]):
    model, path = digits
    found = ImageClassifier.load_from_checkpoint(path)
    images = torch.randint(0, 256, (5, 1, 8, 8), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(found(images), model(images))
    given = ImageClassifier.load_from_checkpoint(
        path, backbone=model.backbone, augment=[], preprocess=model.preprocess, input_size=32, strict=False
    )
    assert given.num_classes == 10


def test_the_description_is_plain_data(digits: tuple[ImageClassifier, Path]):
    found = torch.load(digits[1], weights_only=True)["description"]
    assert json.loads(json.dumps(found)) == found
    assert found["classes"] == list("0123456789")
    assert (found["channels"], found["input_size"], found["mean"], found["std"]) == (1, [32, 32], [0.3053], [0.376])
    assert found["backbone"]["name"] == found["config"]["backbone"]["name"] == "test_resnet"
    assert found["config"]["augment"]["_target_"] == "augment.presets.light"
    assert {"torch", "timm", "kornia"} <= found["versions"].keys()


def test_predict_takes_what_people_have(digits: tuple[ImageClassifier, Path], tmp_path: Path):
    model = lightning_modules.load(digits[1])
    Image.fromarray(PHOTO).save(tmp_path / "a.png")
    tensor = torch.tensor(PHOTO).permute(2, 0, 1)
    expected = model.predict(tmp_path / "a.png")
    assert expected.shape == (1, 10)
    for source in (str(tmp_path / "a.png"), Image.open(tmp_path / "a.png"), PHOTO, tensor, tensor[None]):
        assert torch.equal(model.predict(source), expected)
    assert torch.equal(model.predict(PHOTO[..., ::-1], order="BGR"), expected)
    mixed = [PHOTO, PHOTO[:9, :9], tmp_path / "a.png"]
    torch.testing.assert_close(model.predict(mixed)[[0, 2]], expected.expand(2, -1), rtol=0, atol=1e-6)
    torch.testing.assert_close(model.predict(mixed, batch_size=2), model.predict(mixed), rtol=0, atol=1e-6)


def test_predict_changes_no_mode_and_no_statistics(digits: tuple[ImageClassifier, Path]):
    model = lightning_modules.load(digits[1]).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    expected = lightning_modules.load(digits[1]).predict(PHOTO)
    assert torch.equal(model.predict(PHOTO), expected)
    assert model.backbone.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("entry", ["backbone", "preprocess"])
@pytest.mark.parametrize(
    "config",
    [
        {"_target_": "os.system", "_args_": ["true"]},
        {"_target_": "augment.os.system", "_args_": ["true"]},
        {
            "_target_": "lightning_modules.model.backbones.timm_backbone",
            "name": {"_target_": "os.getcwd"},
            "num_classes": 10,
        },
    ],
)
def test_what_a_stranger_names_is_refused(
    digits: tuple[ImageClassifier, Path], tmp_path: Path, entry: str, config: dict
):
    path = changed(digits[1], tmp_path, **{entry: config})
    with pytest.raises(UserError, match="not a layer") as refused:
        lightning_modules.load(path)
    assert "trust=True" in str(refused.value)
    assert str(config["_target_"]) in str(refused.value) or "os.getcwd" in str(refused.value)


def test_a_network_from_another_place_is_refused(digits: tuple[ImageClassifier, Path], tmp_path: Path):
    network = {"_target_": "lightning_modules.model.backbones.timm_backbone", "name": "local-dir:x", "num_classes": 10}
    with pytest.raises(UserError, match="local-dir:x"):
        lightning_modules.load(changed(digits[1], tmp_path, backbone=network))
    network = {"_target_": network["_target_"], "_args_": ["local-dir:x", 10]}
    with pytest.raises(UserError, match="arguments without names"):
        lightning_modules.load(changed(digits[1], tmp_path, backbone=network))


def test_trust_builds_any_network(digits: tuple[ImageClassifier, Path], tmp_path: Path):
    network = {"_target_": "timm.create_model", "model_name": "test_resnet", "num_classes": 10, "in_chans": 1}
    path = changed(digits[1], tmp_path, backbone=network)
    with pytest.raises(UserError, match=r"timm\.create_model"):
        lightning_modules.load(path)
    assert torch.equal(lightning_modules.load(path, trust=True).predict(PHOTO), digits[0].predict(PHOTO))


def test_published_weights_are_not_loaded_again(digits: tuple[ImageClassifier, Path], tmp_path: Path):
    settings = torch.load(digits[1], weights_only=True)["description"]["backbone"]
    path = changed(digits[1], tmp_path, backbone=settings | {"checkpoint_path": "/not/there", "pretrained": True})
    assert torch.equal(lightning_modules.load(path).predict(PHOTO), digits[0].predict(PHOTO))


def test_files_without_a_description_end_in_one_sentence(digits: tuple[ImageClassifier, Path], tmp_path: Path):
    content = torch.load(digits[1], weights_only=True)
    del content["description"]
    torch.save(content, tmp_path / "old.ckpt")
    with pytest.raises(UserError, match="before checkpoints described their model"):
        lightning_modules.load(tmp_path / "old.ckpt")
    torch.save({"weights": torch.zeros(1)}, tmp_path / "other.ckpt")
    with pytest.raises(UserError, match="another file saved by torch"):
        lightning_modules.load(tmp_path / "other.ckpt")
    (tmp_path / "broken.ckpt").write_bytes(digits[1].read_bytes()[:-9])
    with pytest.raises(UserError, match="damaged"):
        lightning_modules.load(tmp_path / "broken.ckpt")
    with pytest.raises(UserError, match="not a file"):
        lightning_modules.load(tmp_path / "none.ckpt")
    with pytest.raises(UserError, match="does not say how"):
        lightning_modules.load(changed(digits[1], tmp_path, backbone=None))
    settings = torch.load(digits[1], weights_only=True)["description"]["backbone"]
    changed(digits[1], tmp_path, backbone=settings | {"channels": 3})
    with pytest.raises(UserError, match="weights differ"):
        lightning_modules.load(tmp_path / "changed.ckpt")
    torch.save(content | {"description": {"classes": []}}, tmp_path / "damaged.ckpt")
    with pytest.raises(UserError, match="is incomplete"):
        lightning_modules.load(tmp_path / "damaged.ckpt")


def test_averaged_weights_are_the_ones_that_were_validated(tmp_path: Path):
    _, path = trained(tmp_path, "callbacks=ema", "model=small_cnn", "model.width=8")
    content = torch.load(path, weights_only=True)
    name = next(name for name in content["state_dict"] if name.startswith("backbone."))
    assert not torch.equal(content["state_dict"][name], content["current_model_state"][name])
    assert torch.equal(lightning_modules.load(path).state_dict()[name], content["state_dict"][name])


def test_the_lightning_clis_classes_become_targets():
    given = {"a": [{"class_path": "x.Y", "init_args": {"b": {"class_path": "z"}}, "dict_kwargs": {"c": 1}}], "d": None}
    assert targets(given) == {"a": [{"_target_": "x.Y", "b": {"_target_": "z"}, "c": 1}], "d": None}


def test_the_lines_of_the_readme_classify_a_photograph(
    digits: tuple[ImageClassifier, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (code,) = re.findall(r"```text\n(import lightning_modules.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(code.splitlines()) <= 5
    Image.fromarray(PHOTO).save(tmp_path / "photo.jpg")
    for name, path in (("outputs/.../checkpoints/best.ckpt", digits[1]), ("photo.jpg", tmp_path / "photo.jpg")):
        assert name in code
        code = code.replace(name, str(path))
    exec(compile(code, "README", "exec"), {})
    assert capsys.readouterr().out.strip() == str(int(digits[0].predict(tmp_path / "photo.jpg").argmax()))
