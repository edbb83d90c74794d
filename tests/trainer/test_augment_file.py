"""augment=PATH.yaml: an augmentation from a file outside conf/."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from omegaconf import DictConfig

import augment as A
from lightning_modules.augment_file import with_augment_files
from lightning_modules.errors import UserError
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
