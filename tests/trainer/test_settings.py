"""Settings take effect, or are refused in one sentence before a run starts."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException, InstantiationException, OverrideParseException
from hydra.utils import instantiate
from omegaconf import DictConfig

from lightning_modules import cli
from lightning_modules.errors import UserError, sentence
from lightning_modules.launching import run, start
from lightning_modules.launching.settings import check_settings, fits
from lightning_modules.model.backbones import timm_backbone
from tests.trainer.tools import ROOT, build, run_train, write_images
from train import train

SMALL = ["experiment=smoke", "model=small_cnn", "model.width=8"]
NAMED = "+callbacks.named._target_=pytorch_lightning.callbacks."


def refusal(cfg: DictConfig) -> str:
    """Return the sentence with which a configuration is refused."""
    with pytest.raises(UserError) as caught:
        check_settings(cfg)
    return str(caught.value)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("seed=1.7", "seed=1.7 must be a whole number."),
        ("seed=null", "seed=null must be a whole number."),
        ("seed=true", "seed=true must be a whole number."),
        ("seed=-1", "seed=-1 must be at least 0 and at most 4294967295."),
        ("seed=4294967296", "seed=4294967296 must be at least 0 and at most 4294967295."),
        ("data.module.seed=-1", "data.module.seed=-1 must be at least 0 and at most 4294967295."),
        ("train=maybe", "train=maybe must be true or false."),
        ("ckpt_path=5", "ckpt_path=5 must be text or null."),
        ("data.batch_size=1.5", "data.batch_size=1.5 must be a whole number."),
        ("data.batch_size=null", "data.batch_size=null must be a whole number."),
        ("data.num_workers=x", "data.num_workers=x must be a whole number."),
        ("data.module.val_share=x", "data.module.val_share=x must be a number."),
        ("data.num_classes=0", "data.num_classes=0 must be at least 1."),
        ("data.size=null", "data.size=null must be a whole number or a list."),
        ("model.name=5", "model.name=5 must be text."),
        ("model.pretrained=maybe", "model.pretrained=maybe must be true or false."),
        ("optimizer.lr=high", "optimizer.lr=high must be a number."),
        ("optimizer.betas=0.9", "optimizer.betas=0.9 must be a list."),
        ("scheduler.warmup=x", "scheduler.warmup=x must be a number."),
        ("loss.label_smoothing=x", "loss.label_smoothing=x must be a number."),
        ("compile=x", "compile=x must be true or false."),
        ("trainer.max_epochs=1.5", "trainer.max_epochs=1.5 must be a whole number or null."),
        ("trainer.deterministic=x", "trainer.deterministic=x must be true or false or warn or null."),
        ("trainer.accumulate_grad_batches=0", "trainer.accumulate_grad_batches=0 must be at least 1."),
        ("trainer.check_val_every_n_epoch=0", "trainer.check_val_every_n_epoch=0 must be at least 1."),
        ("trainer.gradient_clip_val=-1", "trainer.gradient_clip_val=-1 must be at least 0."),
        ("callbacks.reseed.seed=x", "callbacks.reseed.seed=x must be a whole number."),
        ("preprocess=null", "preprocess=null must be of type Preprocess."),
        ("classifier=null", "classifier must name a class: give classifier._target_=..."),
    ],
)
def test_a_value_of_the_wrong_kind_names_its_setting(
    configure: Callable[..., DictConfig], override: str, said: str
) -> None:
    assert refusal(configure(override)) == said


def test_what_a_type_hint_allows() -> None:
    allowed = [(3, float), (None, int | None), ([1], list[int]), ("a", Literal["a", 2]), ({"x": 1}, pl.Trainer)]
    refused = [(True, int), (1.0, int), ("1", float), (None, str), ([1], int), ("b", Literal["a", 2]), (2, str | None)]
    assert all(fits(value, hint) for value, hint in allowed)
    assert not any(fits(value, hint) for value, hint in refused)


@pytest.mark.parametrize("size", ["24", "[24,16]"])
def test_what_is_right_passes(configure: Callable[..., DictConfig], size: str) -> None:
    check_settings(configure(f"data.size={size}", "trainer.limit_train_batches=0.5", "optimizer.lr=1", "ckpt_path=a b"))


def test_means_that_do_not_fit_the_channels(configure: Callable[..., DictConfig]) -> None:
    said = refusal(configure("data=folder", "data.root=x", "data.channels=1"))
    assert said == (
        "data.mean has 3 values but data.channels=1: give data.mean and data.std one value for each channel, "
        "such as data.mean=[0.5]."
    )


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["train=false", "test=false"], "train=false and test=false leave nothing to do"),
        (["trainer.max_epochs=0"], "trainer.max_epochs=0 trains nothing"),
        (["trainer.max_steps=0"], "trainer.max_steps=0 trains nothing"),
        (["trainer.limit_train_batches=0"], "trainer.limit_train_batches=0 trains nothing"),
        (["trainer.limit_test_batches=0"], "trainer.limit_test_batches=0 tests nothing; set test=false."),
    ],
)
def test_a_run_without_a_purpose(configure: Callable[..., DictConfig], overrides: list[str], said: str) -> None:
    assert refusal(configure(*overrides)).startswith(said)


def test_random_weights_are_not_tested(configure: Callable[..., DictConfig], tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"train=false needs trained weights, .* it has no trained weights; pass ckpt_path="
    ):
        train(configure(*SMALL, "train=false"))
    _, model, _ = build(configure())
    with pytest.raises(UserError, match="test_resnet is published with 1000 classes, and its last layer is new"):
        start.refuse_random_weights(configure("train=false", "model.pretrained=true"), None, model)
    weights = tmp_path / "weights.pth"
    torch.save(model.backbone.state_dict(), weights)
    train(configure("experiment=smoke", "train=false", f"model.checkpoint_path={weights}"))


@pytest.mark.parametrize("command", ["test", "validate"])
def test_random_weights_are_not_tested_by_the_command_line_of_lightning(command: str) -> None:
    with pytest.raises(UserError, match=f"{command} needs weights: pass --ckpt_path=.../best.ckpt"):
        cli.main([command, f"--config={ROOT / 'conf/cli/digits.yaml'}", "--trainer.accelerator=cpu"])


@pytest.fixture
def checkpoint(configure: Callable[..., DictConfig], tmp_path: Path) -> Path:
    train(configure(*SMALL, "test=false", "trainer.max_epochs=1"))
    return tmp_path / "run" / "checkpoints" / "last.ckpt"


def test_a_file_with_other_contents(checkpoint: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for content in ([1, 2], {"weight": torch.zeros(2)}, {"state_dict": {}}):
        torch.save(content, other)
        with pytest.raises(UserError, match=r"another file saved by torch; .* model.checkpoint_path="):
            run.existing_checkpoint(str(other))
    torch.save(torch.nn.Linear(2, 2), other)
    with pytest.raises(UserError, match="not a checkpoint of a run"):
        run.existing_checkpoint(str(other))
    with pytest.raises(UserError, match=f"ckpt_path='{tmp_path}' is not a file"):
        run.existing_checkpoint(str(tmp_path))
    assert run.existing_checkpoint(str(checkpoint), to_continue=True) == str(checkpoint.resolve())
    weights = {key: value for key, value in torch.load(checkpoint).items() if key != "optimizer_states"}
    torch.save(weights, other)
    assert run.existing_checkpoint(str(other)) == str(other.resolve())
    with pytest.raises(UserError, match="holds only weights, so training cannot continue; set train=false"):
        run.existing_checkpoint(str(other), to_continue=True)


def test_a_full_disk_names_the_path_and_the_checkpoint_that_is_kept(
    configure: Callable[..., DictConfig], checkpoint: Path
) -> None:
    """Limit the file size, so that the operating system refuses to write, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    kept = checkpoint.with_name("best.ckpt")
    resource.setrlimit(resource.RLIMIT_FSIZE, (checkpoint.stat().st_size // 2, limits[1]))
    try:
        with pytest.raises(UserError) as caught:
            train(configure(*SMALL, f"ckpt_path={checkpoint}", "trainer.max_epochs=3"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(caught.value).startswith(f"cannot write to {checkpoint.parents[1]}")
    named = Path(str(caught.value).rpartition("continue with ckpt_path=")[2].removesuffix("."))
    assert named in (checkpoint, kept)
    assert run.existing_checkpoint(str(named), to_continue=True)


def test_loggers_and_callbacks_can_be_switched_off(configure: Callable[..., DictConfig], tmp_path: Path) -> None:
    train(configure(*SMALL, "logger=null"))
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"checkpoints", "results.json"}
    assert train(configure(*SMALL, "callbacks=null", f"output_dir={tmp_path / 'other'}")) is None
    assert {path.name for path in (tmp_path / "other").iterdir()} == {"csv", "results.json"}
    train(configure(*SMALL, "logger=default", "logger.csv=null", f"output_dir={tmp_path / 'third'}"))
    assert {path.name for path in (tmp_path / "third").iterdir()} == {"checkpoints", "results.json", "tensorboard"}


def test_the_average_of_the_weights_is_tested(configure: Callable[..., DictConfig], tmp_path: Path) -> None:
    cfg = configure(*SMALL, f"{NAMED}EMAWeightAveraging", "+callbacks.named.decay=0.5", "optimizer.lr=0.1")
    trainer, model, data = build(cfg)
    trainer.fit(model, data)
    best = tmp_path / "run" / "checkpoints" / "best.ckpt"
    trainer.test(model, data, ckpt_path=best, weights_only=True, verbose=False)
    saved = torch.load(best)
    name = "backbone.0.weight"
    assert not torch.equal(saved["state_dict"][name], saved["current_model_state"][name])
    assert torch.equal(model.state_dict()[name], saved["state_dict"][name])


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("StochasticWeightAveraging +callbacks.named.swa_lrs=0.01", "callbacks=ema"),
        ("LearningRateFinder", "callbacks=find_lr"),
        ("BackboneFinetuning", "callbacks=freeze"),
        ("ModelPruning +callbacks.named.pruning_fn=l1_unstructured", "torch.nn.utils.prune"),
    ],
)
def test_a_callback_without_effect_is_refused(configure: Callable[..., DictConfig], name: str, instead: str) -> None:
    cfg = configure(*(NAMED + name).split())
    with pytest.raises(UserError, match=f"{name.split()[0]} does not work in this trainer: .*{instead}"):
        start.build_trainer(cfg, continuing=False)


def test_the_batch_size_finder_is_refused_where_it_would_forget_the_checkpoint(
    configure: Callable[..., DictConfig],
) -> None:
    with pytest.raises(UserError, match=r"leave it out and set data\.batch_size"):
        start.build_trainer(configure(f"{NAMED}BatchSizeFinder"), continuing=True)


def test_callbacks_and_loggers_that_are_none(configure: Callable[..., DictConfig]) -> None:
    for override in ("+callbacks.mine=5", "+callbacks.mine._target_=torch.nn.ReLU"):
        with pytest.raises(UserError, match=r"callbacks\.mine is not a Lightning Callback"):
            start.build_trainer(configure(override), continuing=False)
    with pytest.raises(UserError, match=r"logger\.csv is not a Lightning Logger"):
        start.build_trainer(configure("logger.csv=5"), continuing=False)


@pytest.mark.parametrize(
    "named",
    [
        "EarlyStopping +callbacks.named.monitor=val/loss",
        "Timer +callbacks.named.duration=00:00:00:30",
        "DeviceStatsMonitor",
    ],
)
def test_other_callbacks_by_name(configure: Callable[..., DictConfig], named: str) -> None:
    assert train(configure(*SMALL, *(NAMED + named).split())) is not None


def test_early_stopping_stops_and_an_unknown_metric_is_told(configure: Callable[..., DictConfig]) -> None:
    stopping = f"{NAMED}EarlyStopping +callbacks.named.monitor=val/loss +callbacks.named.patience=1".split()
    trainer, model, data = build(configure(*SMALL, *stopping, "optimizer.lr=0", "trainer.max_epochs=9"))
    trainer.fit(model, data)
    assert trainer.current_epoch == 2
    with pytest.raises(RuntimeError) as caught:
        train(configure(*SMALL, f"{NAMED}EarlyStopping", "+callbacks.named.monitor=val_loss"))
    assert sentence(caught.value).startswith("Early stopping conditioned on metric `val_loss` which is not available.")


def test_a_file_without_weights_of_the_network(tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("hello")
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    for name in ("text.pth", "other.pth", "nowhere.pth"):
        path = tmp_path / name
        with pytest.raises(UserError, match=f"checkpoint_path='{path}' is not a file with the weights of test_resnet"):
            timm_backbone("test_resnet", 10, checkpoint_path=str(path))


def test_batches_of_one_image(configure: Callable[..., DictConfig]) -> None:
    with pytest.raises(UserError, match=r"ResNet cannot be trained on batches of one image .* model=small_cnn"):
        train(configure("experiment=smoke", "data.batch_size=1"))
    assert train(configure(*SMALL, "data.batch_size=1")) is not None


def test_more_processes_than_cores(configure: Callable[..., DictConfig]) -> None:
    with pytest.raises(UserError, match=r"trainer\.devices=9999 starts more processes than there are cores"):
        start.build_trainer(configure("trainer.devices=9999"), continuing=False)


@pytest.mark.parametrize("path", ["/a=b", "/a[b]", "/a,b", "/a(b)", "~/a", "/ä", "/a{b}", "/a'b"])
def test_a_path_with_special_characters_is_quoted_as_the_error_says(path: str) -> None:
    def composed(override: str) -> str:
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            return compose("train", overrides=[override]).ckpt_path

    with pytest.raises((OverrideParseException, ConfigCompositionException)) as caught:
        composed(f"ckpt_path={path}")
    said = sentence(caught.value)
    assert "\n" not in said
    quoted = said.partition(': "')[2].removesuffix('".')
    assert composed(quoted) == path


def test_relative_paths_count_from_where_the_command_was_given(tmp_path: Path) -> None:
    for name in "ab":
        write_images(tmp_path / "photos" / name, 8, [(20, 20)])
    small = ["trainer=cpu", *SMALL, "data=folder", "data.size=32", "data.num_workers=0", "logger=null"]
    ended = run_train(tmp_path, *small, "data.root=photos", "hydra.job.chdir=true", "output_dir=out")
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "out" / "checkpoints" / "best.ckpt").is_file()


def test_the_home_folder(configure: Callable[..., DictConfig], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    cfg = configure("ckpt_path='~/last.ckpt'")
    start.resolve_paths(cfg)
    assert cfg.ckpt_path == "/home/ann/last.ckpt"


def test_an_unknown_setting_names_where_it_is() -> None:
    for override, place in {"lr=1": "optimizer.lr", "epochs=3": "trainer.max_epochs"}.items():
        with (
            initialize_config_dir(str(ROOT / "conf"), version_base="1.3"),
            pytest.raises(ConfigCompositionException) as caught,
        ):
            compose("train", overrides=[override])
        assert f"did you mean {place}" in sentence(caught.value)


def test_what_hydra_blocks_is_one_sentence() -> None:
    with pytest.raises(InstantiationException) as caught:
        instantiate({"_target_": "os.system", "command": "true"})
    assert "os.system" in sentence(caught.value)


def test_an_error_of_the_system_names_the_file_and_memory_a_remedy() -> None:
    assert sentence(FileNotFoundError(2, "No such file or directory", "/x/y")).startswith("/x/y: No such file")
    assert sentence(OSError(28, "No space left on device")).endswith("free some disk space.")
    assert "data.batch_size" in sentence(torch.OutOfMemoryError("CUDA out of memory"))
    assert sentence(OSError("of a library")) is None


def test_a_learned_policy_refuses_steps_that_change_on_the_way(configure: Callable[..., DictConfig]) -> None:
    accumulate = [f"{NAMED}GradientAccumulationScheduler", "+callbacks.named.scheduling={0:2}"]
    with pytest.raises(UserError, match=r"LearnPolicy: .* use trainer\.accumulate_grad_batches"):
        train(configure(*SMALL, "augment=learned", *accumulate))
