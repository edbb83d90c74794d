"""augment=PATH.yaml: an augmentation from a file outside conf/."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from omegaconf import DictConfig

import augment as A
from augment.tools.recipe_file import foreign
from lightning_modules.errors import UserError
from lightning_modules.launching.augment_file import with_augment_files
from tests.trainer.tools import build, write_pipeline

LAYERS = (
    {"name": "Resize", "size": [32, 32]},
    {"name": "RandomRotation", "degrees": {"_target_": "augment.Uniform", "low": -7.0, "high": 9.0}},
    {"name": "Normalize", "mean": 0.3, "std": 0.4},
)


@pytest.mark.parametrize("folder", ["plain", "with spaces, (brackets) = signs"])
def test_a_path_is_a_choice(configure: Callable[..., DictConfig], tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    # has the name of a file in conf/, which must not be used instead
    path = write_pipeline(tmp_path / folder / "light.yaml", *LAYERS)
    choice = f"'{path}'" if "," in folder else path
    trainer, model, data = build(configure(f"augment={choice}", "experiment=smoke", "++augment.seed=5"))
    assert [type(layer).__name__ for layer in model.augment.layers] == [layer["name"] for layer in LAYERS]
    assert model.augment.layers[1].degrees.support() == (-7, 9)
    assert model.augment.seed == 5
    trainer.fit(model, data)
    assert trainer.global_step == 4


def test_a_pipeline_writes_the_file(configure: Callable[..., DictConfig], tmp_path: Path) -> None:
    pipeline = A.Pipeline(A.Resize((32, 32)), A.RandomErasing(p=0.5), A.Normalize(0.3, 0.4), seed=3)
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(pipeline.config()))
    _, model, _ = build(configure(f"augment={tmp_path / 'policy.yaml'}"))
    assert repr(model.augment) == repr(pipeline)


def test_paths_may_be_relative_and_mixed_with_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_pipeline(Path("mine.yaml"), *LAYERS)
    given = ["seed=1", "augment=light,mine.yaml,./mine.yaml", "data=digits"]
    path = f"'{tmp_path / 'mine.yaml'}'"
    expected = ["seed=1", f"augment=light,{path},{path}", "data=digits"]
    assert with_augment_files(given) == expected
    assert with_augment_files(expected) == expected  # as in another process of a distributed run


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read: "),
        ("_target_: augment.Pipeline\nx: &a [*a]", "cannot be read: it is nested too deeply, or contains itself."),
        ("_target_: augment.Pipeline\nx: !!python/object/apply:os.system [id]", "cannot be read: could not determine"),
        ("a: [", "cannot be read: while parsing"),
        ("- _target_: augment.Resize", "must hold one object with a _target_, such as augment.Pipeline."),
        ("", "must hold one object with a _target_, such as augment.Pipeline."),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "policy.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError) as caught:
        with_augment_files([f"augment={path}"])
    assert str(caught.value).startswith(f"augment={path} {said}")


FOREIGN = {
    "a function of another package": ("_target_: torch.hub.load", "_target_='torch.hub.load'"),
    "a module that augment imports": (
        "_target_: augment.tools.errors.importlib.import_module",
        "_target_='augment.too",
    ),
    "a function of augment": ("_target_: augment.from_kornia", "_target_='augment.from_kornia'"),
    "a method of a layer": ("_target_: augment.Pipeline.export", "_target_='augment.Pipeline.export'"),
    "something in presets": ("_target_: augment.presets.Path", "_target_='augment.presets.Path'"),
    "no text": ("_target_: {a: 1}", "_target_={'a': 1}"),
    "an argument": ("_target_: augment.Pipeline\n_args_: [{x: {_target_: os.getcwd}}]", "_target_='os.getcwd'"),
    "a reference": ("_target_: ${optimizer._target_}", "_target_='${optimizer._target_}'"),
    "a partial": ("_target_: augment.Pipeline\n_partial_: true", "_partial_=True is an instruction to Hydra"),
    "a defaults list": ("_target_: augment.Pipeline\ndefaults: [none]", "defaults=['none'] is an instruction"),
    "the environment": ("_target_: augment.Pipeline\nseed: ${oc.env:HOME}", "'${oc.env:HOME}' must be a value"),
    "an object from text": (
        "_target_: augment.Pipeline\nx: '${oc.decode:\"{_target_: os.getcwd}\"}'",
        "must be a value, or a",
    ),
    "a reference in another": (
        "_target_: augment.Pipeline\nx: $${seed}{oc.env:HOME}",
        "must be a value, or a reference to ",
    ),
}


@pytest.mark.parametrize("named", FOREIGN)
def test_a_file_that_could_run_code_is_refused(tmp_path: Path, named: str) -> None:
    text, said = FOREIGN[named]
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        with_augment_files([f"augment=light,{path}"])
    sentence = str(caught.value)
    assert sentence.startswith(f"augment={path}: ")
    assert said in sentence
    assert sentence.endswith("if you trust the author of the file to run any code, add trust_augment_file=true.")


def test_a_trusted_file_builds_anything(configure: Callable[..., DictConfig], tmp_path: Path) -> None:
    path = write_pipeline(tmp_path / "own.yaml", *LAYERS)
    path.write_text(path.read_text().replace("augment.RandomRotation", "tests.trainer.test_augment_file.OwnLayer"))
    given = [f"augment={path}", "trust_augment_file=true"]
    assert with_augment_files(with_augment_files(given))[-1] == given[-1]  # other processes need it too
    _, model, _ = build(configure(*given))
    assert isinstance(model.augment.layers[1], OwnLayer)
    with pytest.raises(UserError, match="OwnLayer' is not a layer, distribution or preset"):
        configure(given[0])


class OwnLayer(A.RandomRotation):
    """A layer that augment does not export."""


@pytest.mark.parametrize("name", ["Pipeline", "RandomRotation", "OneOf", "RandomCutMix", "Uniform", "presets.ocr"])
def test_every_kind_of_export_is_allowed(name: str) -> None:
    assert foreign({"_target_": f"augment.{name}", "_args_": ["${data.size}", {"a": [1.5, None, "${seed}"]}]}) is None


def test_everything_that_a_pipeline_writes_is_allowed() -> None:
    layers = A.LearnedPolicy(), A.RandAugment(), A.OneOf([A.RandomMixUp(), A.RandomRotation(A.Normal(0, 5))])
    assert foreign(A.Pipeline(*layers, A.RandomBrightness(A.Uniform(0.5, 1.5, learnable=True))).config()) is None
