"""Learning rate schedules: every torch and timm schedule by name, and schedules that get the length of training."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
import pytorch_lightning as pl
import torch
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig
from torch.optim import lr_scheduler

from lightning_modules.errors import UserError
from lightning_modules.model.schedules import optimizer_steps
from tests.trainer.test_sources import write_shards
from tests.trainer.tools import ROOT, build, write_pipeline
from train import train

SHORT = ["experiment=smoke", "model=small_cnn", "model.width=8", "optimizer=sgd", "optimizer.lr=1.0"]
"""Two epochs of two steps."""
TORCH = "scheduler._target_=torch.optim.lr_scheduler."
TIMM = "scheduler._target_=timm.scheduler."


class Rates(pl.Callback):
    """Record the learning rate of every step."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_train_batch_start(self, trainer: pl.Trainer, *_: object) -> None:
        self.seen.append(trainer.optimizers[0].param_groups[0]["lr"])


def fitted(cfg: DictConfig, ckpt_path: Path | None = None) -> tuple[list[float], pl.Trainer]:
    """Return the learning rate of every step and the rate after the last step."""
    trainer, model, data = build(cfg)
    rates = Rates()
    trainer.callbacks.append(rates)
    trainer.fit(model, data, ckpt_path=ckpt_path, weights_only=True)
    return [*rates.seen, trainer.optimizers[0].param_groups[0]["lr"]], trainer


def by_hand(make: Callable[[torch.optim.Optimizer], Any], steps: int = 4) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.9)
    schedule, rates = make(optimizer), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return [*rates, optimizer.param_groups[0]["lr"]]


STEPPED = [
    ("OneCycleLR max_lr=0.5", lambda o: lr_scheduler.OneCycleLR(o, max_lr=0.5, total_steps=4)),
    ("OneCycleLR max_lr=0.5 epochs=2 steps_per_epoch=3", lambda o: lr_scheduler.OneCycleLR(o, 0.5, total_steps=6)),
    ("StepLR step_size=3", lambda o: lr_scheduler.StepLR(o, 3)),
    ("MultiStepLR milestones=[1,3]", lambda o: lr_scheduler.MultiStepLR(o, [1, 3])),
    ("ExponentialLR gamma=0.5", lambda o: lr_scheduler.ExponentialLR(o, 0.5)),
    ("CosineAnnealingLR", lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=4)),
    ("CosineAnnealingLR T_max=2", lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=2)),
    ("CosineAnnealingWarmRestarts T_0=2", lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 2)),
    ("PolynomialLR total_iters=4", lambda o: lr_scheduler.PolynomialLR(o, 4)),
    ("LinearLR total_iters=3", lambda o: lr_scheduler.LinearLR(o, total_iters=3)),
    ("ConstantLR total_iters=2", lambda o: lr_scheduler.ConstantLR(o, total_iters=2)),
    ("CyclicLR base_lr=0.1 max_lr=1 step_size_up=2", lambda o: lr_scheduler.CyclicLR(o, 0.1, 1, 2)),
]


@pytest.mark.parametrize(("named", "reference"), STEPPED, ids=[named for named, _ in STEPPED])
def test_a_schedule_of_torch_by_name(
    configure: Callable[..., DictConfig], named: str, reference: Callable[[torch.optim.Optimizer], Any]
) -> None:
    name, *arguments = named.split()
    seen, _ = fitted(configure(*SHORT, TORCH + name, *(f"+scheduler.{argument}" for argument in arguments)))
    assert seen == pytest.approx(by_hand(reference))
    assert len(set(seen)) > 1


@pytest.mark.parametrize(
    ("named", "rates"),
    [
        ("StepLR step_size=1", [1, 1, 0.1, 0.1, 0.01]),
        ("CosineAnnealingLR", [1, 1, 0.5, 0.5, 0]),  # over two epochs
        ("PolynomialLR total_iters=2", [1, 1, 0.5, 0.5, 0]),
    ],
)
def test_a_schedule_that_counts_epochs(configure: Callable[..., DictConfig], named: str, rates: list[float]) -> None:
    name, *arguments = named.split()
    epochs = "classifier.scheduler_interval=epoch"
    seen, _ = fitted(configure(*SHORT, epochs, TORCH + name, *(f"+scheduler.{a}" for a in arguments)))
    assert seen == pytest.approx(rates, abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "rates"),
    [
        (["t_initial=2"], [1, 1, 0.5, 0.5, 0]),
        (["t_initial=4", "t_in_epochs=false"], [1, 0.853553, 0.5, 0.146447, 0]),
        (["t_initial=2", "warmup_t=1", "warmup_lr_init=0.1"], [0.1, 0.1, 0.5, 0.5, 0]),
    ],
)
def test_a_schedule_of_timm_and_its_continuation(
    configure: Callable[..., DictConfig], tmp_path: Path, arguments: list[str], rates: list[float]
) -> None:
    cfg = configure(*SHORT, f"{TIMM}CosineLRScheduler", *(f"+scheduler.{argument}" for argument in arguments))
    seen, _ = fitted(cfg)
    assert seen == pytest.approx(rates, abs=1e-6)
    cfg.trainer.max_epochs = 1
    fitted(cfg)
    cfg.trainer.max_epochs = 2
    again, _ = fitted(cfg, tmp_path / "run" / "checkpoints" / "last.ckpt")
    assert again == pytest.approx(rates[2:], abs=1e-6)


def test_a_schedule_on_a_plateau_follows_every_validation(configure: Callable[..., DictConfig]) -> None:
    """No validation improves by a factor of a thousand million."""
    plateau = [f"{TORCH}ReduceLROnPlateau", "+scheduler.patience=0", "+scheduler.threshold=1e9"]
    seen, trainer = fitted(configure(*SHORT, *plateau, "+scheduler.factor=0.5", "trainer.max_epochs=3"))
    assert seen == pytest.approx([1, 1, 0.5, 0.5, 0.25, 0.25, 0.125])
    assert trainer.lr_scheduler_configs[0].monitor == "val/loss"
    rare = [*plateau, "trainer.check_val_every_n_epoch=2", "trainer.max_epochs=5", "trainer.limit_train_batches=1"]
    seen, trainer = fitted(configure(*SHORT, *rare, "+scheduler.mode=max", "+scheduler.threshold_mode=abs"))
    assert seen == pytest.approx([1, 1, 1, 1, 0.1, 0.1])  # the first validation is the best so far
    assert trainer.lr_scheduler_configs[0].monitor == "val/acc"


def test_schedules_one_after_the_other(configure: Callable[..., DictConfig]) -> None:
    part = "_partial_:true,_target_:torch.optim.lr_scheduler."
    parts = f"[{{{part}LinearLR,start_factor:0.1,total_iters:2}},{{{part}ConstantLR,factor:0.5,total_iters:9}}]"
    sequence = [f"{TORCH}SequentialLR", "+scheduler.milestones=[2]", f"+scheduler.schedulers={parts}"]
    assert fitted(configure(*SHORT, *sequence))[0] == pytest.approx([0.1, 0.55, 0.5, 0.5, 0.5])
    chained = [f"{TORCH}ChainedScheduler", f"+scheduler.schedulers={parts}"]
    assert fitted(configure(*SHORT, *chained))[0] == pytest.approx([0.05, 0.275, 0.5, 0.5, 0.5])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([f"{TORCH}PolynomialLR"], "PolynomialLR: give total_iters in optimizer steps (the training has 4)"),
        ([f"{TORCH}OneCycleLR"], "missing 1 required positional argument: 'max_lr'"),
        (
            [f"{TORCH}OneCycleLR", "+scheduler.max_lr=1", "+scheduler.total_steps=3"],
            "OneCycleLR: total_steps=3 is shorter than the training, which has 4; omit total_steps.",
        ),
        ([f"{TORCH}StepLR", "+scheduler.step_size=3", "scheduler.warmup=0.2"], "; remove it with ~scheduler.warmup"),
        ([f"{TORCH}ReduceLROnPlateau", "trainer.limit_val_batches=0"], "ReduceLROnPlateau needs the validation"),
        ([f"{TIMM}PlateauLRScheduler"], "use torch.optim.lr_scheduler.ReduceLROnPlateau"),
        ([f"{TIMM}CosineLRScheduler"], "missing 1 required positional argument: 't_initial'"),
        (["scheduler._target_=torch.nn.ReLU"], "scheduler creates a ReLU, which is not a torch or timm schedule."),
        (["optimizer._target_=torch.optim.Adagrad"], "; remove it with ~optimizer.momentum"),
    ],
)
@pytest.mark.filterwarnings("ignore::FutureWarning")  # timm's plateau
def test_a_schedule_that_cannot_be(configure: Callable[..., DictConfig], given: list[str], said: str) -> None:
    trainer, model, data = build(configure(*SHORT, *given))
    with pytest.raises(UserError, match=re.escape(said)):
        trainer.fit(model, data)


def test_another_optimizer_by_name(configure: Callable[..., DictConfig]) -> None:
    """Another optimizer keeps the arguments of conf/optimizer/adamw.yaml that it accepts."""
    _, model, _ = build(configure("scheduler=none", "optimizer._target_=torch.optim.RMSprop", "optimizer.lr=0.5"))
    optimizer = model.configure_optimizers()["optimizer"]
    assert isinstance(optimizer, torch.optim.RMSprop)
    assert {group["lr"] for group in optimizer.param_groups} == {0.5}
    assert max(group["weight_decay"] for group in optimizer.param_groups) == 0.05


def test_onecycle_that_is_continued_beyond_its_end(configure: Callable[..., DictConfig], tmp_path: Path) -> None:
    cfg = configure(*SHORT, f"{TORCH}OneCycleLR", "+scheduler.max_lr=1")
    fitted(cfg)
    cfg.trainer.max_epochs = 3
    with pytest.raises(UserError, match="the learning rate schedule cannot continue: Tried to step 5 times"):
        fitted(cfg, tmp_path / "run" / "checkpoints" / "last.ckpt")


@pytest.mark.parametrize("scheduling", ["{0:2}", "{0:1,1:2}"])
def test_the_schedule_knows_accumulation_by_epochs(configure: Callable[..., DictConfig], scheduling: str) -> None:
    accumulate = "+callbacks.more._target_=pytorch_lightning.callbacks.GradientAccumulationScheduler"
    seen, trainer = fitted(configure(*SHORT, accumulate, f"+callbacks.more.scheduling={scheduling}"))
    assert trainer.global_step == optimizer_steps(trainer) == {"{0:2}": 2, "{0:1,1:2}": 3}[scheduling]
    assert seen[-1] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.filterwarnings("ignore:.*lr_scheduler.step.*")  # raised by the trial steps
def test_the_schedule_knows_the_batch_size_that_was_found(configure: Callable[..., DictConfig]) -> None:
    finder = ["+callbacks.find._target_=pytorch_lightning.callbacks.BatchSizeFinder", "+callbacks.find.max_trials=2"]
    init = ["+callbacks.find.init_val=128", "+callbacks.find.steps_per_trial=1"]
    cfg = configure(*SHORT, *finder, *init, "trainer.limit_train_batches=null")
    seen, trainer = fitted(cfg)
    assert trainer.datamodule.batch_size == 256
    assert trainer.global_step == 2 * (len(trainer.datamodule.splits.train) // 256)
    assert seen[-1] == pytest.approx(0.0, abs=1e-9)
    assert seen[-2] > 0.0


def recipes() -> list[str]:
    """Return the commands in the comments of conf/."""
    found = []
    for path in sorted((ROOT / "conf").rglob("*.yaml")):
        comments = "\n".join(line.lstrip("# ") for line in path.read_text().splitlines() if "#" in line)
        comments = comments.replace("\\\n", "")
        found += re.findall(r"python train\.py ([^\n]*)", comments)
    return sorted({re.split(r"  |,? then | \[anything|\.\.\.|; ", recipe)[0].strip() for recipe in found} - {""})


RUNNABLE = [recipe for recipe in recipes() if "sweep=" not in recipe and not recipe.endswith("augment=imagenet")]
"""Commands to skip: test_conf composes the sweeps, and the last one only names two groups."""


def with_sources(recipe: str, files: list[Path], folder: Path) -> str:
    """Write ten images of each of two classes to shards, or to a data set that stands for one on the hub."""
    if "SHARDS" in recipe:
        shards = write_shards(folder / "shards", [f.read_bytes() for f in files], lambda number: {"cls": number // 10})
        return recipe.replace("SHARDS", str(shards))
    if "uoft-cs/cifar10" in recipe:
        rows = {"img": [str(file) for file in files], "label": [number // 10 for number in range(20)]}
        features = datasets.Features({"img": datasets.Image(), "label": datasets.ClassLabel(names=["ant", "bee"])})
        datasets.Dataset.from_dict(rows, features).save_to_disk(str(folder / "saved"))
        return recipe.replace("uoft-cs/cifar10", str(folder / "saved"))
    return recipe


@pytest.mark.parametrize("recipe", RUNNABLE)
@pytest.mark.filterwarnings("ignore:.*lr_scheduler.step.*")
def test_recipes_in_the_comments_of_conf_run(
    recipe: str, configure: Callable[..., DictConfig], mixed_folder: Path, tmp_path: Path
) -> None:
    policy = write_pipeline(
        tmp_path / "p.yaml", {"name": "Resize", "size": 32}, {"name": "Normalize", "mean": 0, "std": 1}
    )
    table = mixed_folder / "labels.csv"
    table.write_text("file,label\n" + "".join(f"{name}/{i}.png,{name}\n" for name in ("ant", "bee") for i in range(10)))
    text = recipe.replace("DIR", str(mixed_folder)).replace("PATH/policy.yaml", str(policy))
    text = text.replace("labels.csv", str(table))
    text = with_sources(
        text, [mixed_folder / name / f"{i}.png" for name in ("ant", "bee") for i in range(10)], tmp_path
    )
    given = shlex.split(text)
    small = ["data.batch_size=8", "trainer.max_epochs=1", "trainer.max_steps=4", "data.num_workers=0"]
    small += [f"trainer.limit_{part}_batches=2" for part in ("train", "val", "test")]
    if "data.root" in text or "data.table" in text:
        small += ["data.size=64"]
        full = "experiment=full" in text  # it has a network of its own, and a share for more images than these
        small += ["data.module.val_share=0.2"] if full else ["model.name=test_resnet", "model.pretrained=false"]
    without_validation = any(name in text for name in ("learned_digits", "experiment=regret", "experiment=full"))
    assert (train(configure(*given, *small)) is None) == without_validation


def test_recipes_were_found() -> None:
    assert sum("scheduler._target_" in recipe for recipe in RUNNABLE) >= 4


@pytest.mark.parametrize(
    "page", ["README.md", "docs/learning.md", "docs/policies.md", "docs/training.md", "train.py", "conf/train.yaml"]
)
def test_commands_in_the_docs_compose(page: str, configure: Callable[..., DictConfig]) -> None:
    text = (ROOT / page).read_text().replace("\\\n", "")
    commands = re.findall(r"^ *(?:\S*/)?python train\.py([^`\n]*)", text, re.MULTILINE)
    assert commands
    for command in commands:
        words = re.split(r"  | #", command)[0]
        if "PATH" in words or "..." in words or "--help" in words:
            continue
        given = [word for word in shlex.split(words) if word not in ("-m", "--multirun")]
        for override in OverridesParser.create().parse_overrides(given):
            one = next(override.sweep_string_iterator()) if override.is_sweep_override() else None
            given[given.index(override.input_line)] = f"{override.key_or_group}={one}" if one else override.input_line
        configure(*given)
