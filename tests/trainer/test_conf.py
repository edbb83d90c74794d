"""Composes every file below conf/ and builds its objects; new files are covered automatically."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path

import datasets
import pytest
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

import augment as A
from augment.tools.shrink.shards import pack
from lightning_modules.classifier import ImageClassifier
from lightning_modules.data.datamodule import ImageDataModule
from tests.trainer.tools import ROOT, build

CONF = ROOT / "conf"
OPTIONS = sorted(
    (path.parent.name, path.stem) for path in CONF.glob("*/*.yaml") if path.parent.name not in ("cli", "sweep")
)
ANYWHERE = ["trainer.accelerator=cpu", "trainer.devices=1"]
"""Overrides for a machine without a GPU."""
FINETUNE = ["model.pretrained=false", "model.name=test_resnet", "data.size=64", "data.num_workers=0"]
"""Overrides for small data without the network."""
OFFLINE = ("digits", "folder")
OPTIONAL = ("wandb", "mlflow")
"""Loggers whose packages the extras do not install."""


def test_all_files_are_in_a_known_group() -> None:
    groups = {path.parent.relative_to(CONF).as_posix() for path in CONF.rglob("*.yaml")} - {".", "cli", "sweep"}
    assert groups - {"hydra/launcher", "hydra/sweeper"} == {group for group, _ in OPTIONS}


def options(group: str) -> list[str]:
    return [option for name, option in OPTIONS if name == group]


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_option_is_instantiated(
    group: str,
    option: str,
    configure: Callable[..., DictConfig],
    mixed_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if option in OPTIONAL:
        pytest.importorskip(option)
    finetune = FINETUNE if option == "finetune" else []
    root = [f"data.root={mixed_folder}"] if option in ("folder", "finetune", "full") else []
    if option == "full":
        root.append("data.module.val_share=0.1")  # two hundredths of few images are none
    if option == "table":
        (mixed_folder / "table.csv").write_text("file,label\n" + "".join(f"ant/{i}.png,{i % 2}\n" for i in range(10)))
        root = [f"data.table={mixed_folder / 'table.csv'}"]
    if option == "huggingface":
        rows = {
            "image": [str(path) for path in sorted(mixed_folder.rglob("*.png"))],
            "label": ["ant", "bee", "cow"] * 10,
        }
        features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("string")})
        datasets.Dataset.from_dict(rows, features).save_to_disk(str(mixed_folder / "saved"))
        root = [f"data.root={mixed_folder / 'saved'}"]
    if option == "webdataset":
        monkeypatch.setenv("XDG_CACHE_HOME", str(mixed_folder / "cache"))
        pack(mixed_folder, mixed_folder, 10**9)
        root = [f"data.root={mixed_folder}"]
    teacher = ["loss.teacher.name=test_resnet"] if option == "distillation" else []
    cfg = configure(f"{group}={option}", *ANYWHERE, *finetune, *root, *teacher)
    OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    trainer, model, data = build(cfg)
    assert isinstance(trainer, pl.Trainer)
    assert isinstance(model, ImageClassifier)
    assert isinstance(data, ImageDataModule)
    optimizer = model.make_optimizer(model.parameters())
    assert isinstance(optimizer, torch.optim.Optimizer)
    if group == "scheduler":
        scheduler = instantiate(cfg.scheduler)
        length = {} if option in ("none", "plateau") else {"total_steps": 10}
        assert isinstance(scheduler(optimizer, **length), torch.optim.lr_scheduler.LRScheduler)


@pytest.mark.parametrize("sweep", sorted(path.stem for path in (CONF / "sweep").glob("*.yaml")))
def test_sweep_lists_valid_overrides(sweep: str) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", overrides=[f"sweep={sweep}"], return_hydra_config=True)
        assert cfg.hydra.mode.name == "MULTIRUN"
        params = [f"{key}={values}" for key, values in cfg.hydra.sweeper.params.items()]
        for override in OverridesParser.create().parse_overrides(params):
            chosen = override.value()
            values = [chosen.start] if isinstance(chosen, IntervalSweep) else override.sweep_string_iterator()
            for value in values:
                compose("train", overrides=[f"{override.get_key_element()}={value}"])


@pytest.mark.parametrize(("augment", "data"), list(product(options("augment"), OFFLINE)))
def test_one_step_of_every_augmentation_on_every_data(
    augment: str, data: str, configure: Callable[..., DictConfig], mixed_folder: Path
) -> None:
    root = [f"data.root={mixed_folder}", "data.size=32", "data.num_workers=0"] if data == "folder" else []
    few = ["operators=[rotate]"] if augment == "staircase" else []  # each operator is tested on all held-out images
    trainer, model, module = build(configure(f"augment={augment}", f"data={data}", "experiment=smoke", *root, *few))
    before = model.backbone.fc.weight.detach().clone()
    trainer.fit(model, module)
    assert trainer.global_step == 2 * 2
    assert torch.isfinite(trainer.callback_metrics["train/loss"])
    assert not torch.equal(model.backbone.fc.weight, before)


@pytest.mark.parametrize("experiment", [e for e in options("experiment") if e not in ("cifar10", "smoke")])
def test_one_step_of_every_experiment(
    experiment: str, configure: Callable[..., DictConfig], mixed_folder: Path
) -> None:
    """Leave out cifar10, which needs the network, and smoke, which the test above covers."""
    root = [f"data.root={mixed_folder}"]
    small = {"finetune": [*FINETUNE, *root], "full": [*root, "data.module.val_share=0.1"]}.get(experiment, [])
    cfg = configure(f"experiment={experiment}", "trainer.fast_dev_run=1", "data.batch_size=4", *ANYWHERE, *small)
    trainer, model, module = build(cfg)
    trainer.fit(model, module)
    assert torch.isfinite(trainer.callback_metrics["train/loss"])


def test_settings_reach_the_objects(configure: Callable[..., DictConfig]) -> None:
    cfg = configure("augment=custom", "augment._args_.1.degrees=30", "seed=5", "data.size=24", "model.name=test_vit")
    _, model, data = build(cfg)
    assert model.augment.layers[1].degrees.support() == (-30, 30)
    assert model.augment.seed == data.seed == 5
    assert model.input_size == (24, 24)
    assert model.preprocess.out_size((8, 8)) == (24, 24)
    assert type(model.backbone).__name__ == "VisionTransformer"
    assert model.backbone.patch_embed.img_size == (24, 24)  # built for the size of the data


@pytest.mark.parametrize("augment", options("augment"))
def test_augmentation_brings_any_size_to_one(augment: str, configure: Callable[..., DictConfig]) -> None:
    pipeline = instantiate(configure(f"augment={augment}", "data.size=20").augment)
    for size in ((8, 8), (50, 31)):
        label = torch.eye(10)[:3]
        images = torch.randint(0, 256, (3, 1, *size), dtype=torch.uint8)
        given = {name: 0.5 for _, name in pipeline.inputs()}  # what a callback gives in training
        out = pipeline(A.Batch(image=images, label=label), pipeline.noise(torch.arange(3), given=given))
        assert out.image.shape == (3, 1, 20, 20)
