"""Errors that a user can fix end in one sentence and exit code 2."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException, InstantiationException, OverrideParseException
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import nn

from augment import Batch
from lightning_modules import cli
from lightning_modules.data.digits import DigitsData
from lightning_modules.data.image_sets import Splits
from lightning_modules.errors import UserError, one_sentence, sentence
from lightning_modules.launching.run import ending_together
from lightning_modules.model.backbones import small_cnn
from tests.trainer.tools import ROOT, run_train, write_images, write_pipeline
from train import train

Ending = Callable[..., str]


@pytest.fixture
def ending(
    configure: Callable[..., DictConfig], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Ending:
    """Run train.py's `train` with overrides that must raise an error, and return the sentence."""
    for name in ("HYDRA_FULL_ERROR", "TRAIN_SHOW_TRACEBACK"):  # restored after the test
        monkeypatch.setenv(name, "0")

    def sentence_of(*overrides: str) -> str:
        with pytest.raises(SystemExit) as ended, one_sentence():
            train(configure(*overrides))
        assert ended.value.code == 2
        shown = capsys.readouterr().err
        assert "Traceback" not in shown
        last = shown.splitlines()[-1]
        assert last.startswith("error: ")
        return last.removeprefix("error: ")

    return sentence_of


def test_missing_setting(ending: Ending) -> None:
    assert ending("data=folder") == "data.root is missing: pass data.root=..."


def test_missing_folder(ending: Ending) -> None:
    assert ending("data=folder", "data.root=/nowhere") == (
        "data.module: FolderData: root='/nowhere' is not a folder; give one with one folder per class."
    )


def test_folder_without_class_folders(ending: Ending, tmp_path: Path) -> None:
    write_images(tmp_path / "flat", 3, [(8, 8)])
    assert ending("data=folder", f"data.root={tmp_path / 'flat'}") == (
        f"FolderData: {tmp_path / 'flat'} holds no folders; give a root with one folder per class."
    )


def test_empty_class_folder(ending: Ending, mixed_folder: Path) -> None:
    (mixed_folder / "dog").mkdir()
    assert ending("data=folder", f"data.root={mixed_folder}") == (
        f"FolderData: {mixed_folder / 'dog'} holds no images; remove it or add images."
    )


@pytest.mark.parametrize("workers", [0, 1])
def test_corrupt_image(ending: Ending, mixed_folder: Path, workers: int) -> None:
    for broken in mixed_folder.glob("ant/*.png"):
        broken.write_bytes(b"no image")
    said = ending("data=folder", f"data.root={mixed_folder}", "data.size=32", f"data.num_workers={workers}")
    assert said.startswith(f"cannot read the image {mixed_folder / 'ant'}")
    assert said.endswith("remove or replace the file.")


def test_corrupt_image_that_only_a_worker_meets(ending: Ending, mixed_folder: Path) -> None:
    """The main process checks the first images, which do not include this one."""
    for i in range(20):
        write_images(mixed_folder / f"x{i}", 3, [(9, 9)])
    for folder in ("x3", "x4"):
        for i in range(3):
            (mixed_folder / folder / f"{i}.png").write_bytes(b"no image")
    said = ending("data=folder", f"data.root={mixed_folder}", "data.size=32", "data.num_workers=2")
    assert said.startswith(f"cannot read the image {mixed_folder}/x")


def test_crop_that_does_not_fit(ending: Ending, tmp_path: Path) -> None:
    resize, crop = {"name": "Resize", "size": [32, 32]}, {"name": "RandomCrop", "size": 64, "padding": 4}
    assert ending(f"augment={write_pipeline(tmp_path / 'crop.yaml', resize, crop)}") == (
        "augment cannot process the images of this data: RandomCrop: size=(64, 64) does not fit into an image with "
        "a side of 32 pixels (40 with padding); give a smaller size, more padding or pad_if_needed=True."
    )


def test_crop_of_impossible_size(ending: Ending, tmp_path: Path) -> None:
    path = write_pipeline(tmp_path / "crop.yaml", {"name": "RandomCrop", "size": -3})
    assert "RandomCrop: size=-3 must be a positive" in ending(f"augment={path}")
    assert ending("data.size=-3").startswith("classifier.augment: ")


def test_size_that_the_model_does_not_take(ending: Ending) -> None:
    assert ending("classifier.input_size=64") == (
        "augment delivers images of 32x32 pixels but the model's input_size is 64x64; make them equal."
    )
    assert ending("preprocess.size=40") == (
        "preprocess delivers images of 40x40 pixels but the model's input_size is 32x32; make them equal."
    )


def test_mixed_sizes_that_stay_mixed(ending: Ending, mixed_folder: Path, tmp_path: Path) -> None:
    path = write_pipeline(tmp_path / "normalize.yaml", {"name": "Normalize", "mean": 0, "std": 1})
    said = ending("data=folder", f"data.root={mixed_folder}", f"augment={path}")
    assert said.startswith("augment cannot process the images of this data: Normalize")


def test_wrong_number_of_classes(ending: Ending) -> None:
    said = "num_classes=12 of the model does not match the data, which has 10."
    assert ending("data.num_classes=12") == said


def test_wrong_number_of_channels(ending: Ending) -> None:
    assert "does not take images of shape (2, 1, 32, 32)" in ending("model.channels=3")


def test_unknown_network(ending: Ending) -> None:
    said = ending("model.name=resnet19")
    assert said.startswith("classifier.backbone: name='resnet19' is not a timm model; similar names are resnet18, ")


def test_bad_optimizer_argument(ending: Ending) -> None:
    assert ending("optimizer.lr=-1") == "the optimizer or its scheduler cannot be created: Invalid learning rate: -1"


def test_unknown_target(ending: Ending) -> None:
    assert "torch.optim.Adamm" in ending("optimizer._target_=torch.optim.Adamm")


@pytest.mark.parametrize("key", ["augment", "optimizer", "model", "trainer", "callbacks.best"])
@pytest.mark.parametrize("value", ["math.pi", "5", "[1,2]", "torch", "{a:1}", "''"])
def test_a_target_that_is_no_class(key: str, value: str) -> None:
    with (
        initialize_config_dir(str(ROOT / "conf"), version_base="1.3"),
        pytest.raises(InstantiationException) as caught,
    ):
        instantiate(compose("train", overrides=["output_dir=x", f"{key}._target_={value}"])[key.partition(".")[0]])
    assert re.search(r"Expected a callable target|Empty path", sentence(caught.value) or "")


def test_unknown_argument(ending: Ending) -> None:
    assert "unexpected keyword argument 'blur'" in ending("+augment.blur=3")


def test_missing_checkpoint(ending: Ending) -> None:
    assert ending("ckpt_path=lost.ckpt") == (
        "ckpt_path='lost.ckpt' is not a file; give the path of a checkpoint such as .../last.ckpt."
    )


def test_a_checkpoint_runs_no_code(ending: Ending, tmp_path: Path) -> None:
    class Code:
        def __reduce__(self) -> tuple:
            return Path.mkdir, (tmp_path / "made",)

    torch.save({"state_dict": {}, "pytorch-lightning_version": "2.6", "optimizer_states": Code()}, tmp_path / "a.ckpt")
    assert "a.ckpt' is not a checkpoint of a run" in ending(f"ckpt_path={tmp_path / 'a.ckpt'}")
    assert "is not a file with the weights of" in ending(f"model.checkpoint_path={tmp_path / 'a.ckpt'}")
    assert not (tmp_path / "made").exists()


class KilledInAWorker(DigitsData):
    """Digits whose reading kills a worker, as the system does when memory runs out."""

    def load(self) -> Splits:
        splits = super().load()

        class Killing(type(splits.train)):
            def __getitems__(self, numbers: list[int]) -> Batch:
                if torch.utils.data.get_worker_info() is not None:
                    os.kill(os.getpid(), signal.SIGKILL)
                return super().__getitems__(numbers)

        splits.train.__class__ = Killing
        return splits


def test_a_killed_worker(ending: Ending) -> None:
    killed = "data.module._target_=tests.trainer.test_errors.KilledInAWorker"
    said = ending("experiment=smoke", killed, "data.num_workers=1")
    assert re.match(r"DataLoader worker \(pid(\(s\))? \d+\) (exited unexpectedly|is killed by signal: Killed)", said)
    assert ", usually because memory ran out: lower data.num_workers or data.batch_size; " in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "DataLoader worker (pid 7) exited unexpectedly with exit code 1. Details are lost due to multiprocessing.",
            "DataLoader worker (pid 7) exited unexpectedly with exit code 1, usually because memory ran out",
        ),
        (
            "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's workers are "
            "out of shared memory. Please try to raise your shared memory limit.",
            "the shared memory of the data loader's workers is full: enlarge /dev/shm, or set data.num_workers=0.",
        ),
    ],
)
def test_other_ends_of_a_worker(text: str, said: str) -> None:
    assert sentence(RuntimeError(text)).startswith(said)


def test_a_killed_process_of_a_distributed_run() -> None:
    """The first process sees a lost connection only."""
    other = subprocess.Popen(["sleep", "60"])
    other.kill()
    launcher = SimpleNamespace(procs=[other])
    trainer: Any = SimpleNamespace(strategy=SimpleNamespace(launcher=launcher), is_global_zero=True)
    with (
        pytest.raises(UserError, match="process 1 of the run was killed by SIGKILL, usually"),
        ending_together(trainer),
    ):
        raise RuntimeError("Connection closed by peer")


class Hungry(nn.Module):
    """A network that needs more memory than there is.

    Args:
        where: "training", or "always" as in the check before training.
        kind: "device" or "machine", the memory that is full.
    """

    def __init__(self, num_classes: int, channels: int, where: str, kind: str) -> None:
        super().__init__()
        self.network, self.where, self.kind = small_cnn(num_classes, channels, width=8), where, kind

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.training or self.where == "always":
            if self.kind == "machine":
                torch.empty(10**17)
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return self.network(images)


@pytest.mark.parametrize("where", ["training", "always"])
@pytest.mark.parametrize("kind", ["device", "machine"])
def test_memory_that_runs_out(ending: Ending, where: str, kind: str) -> None:
    hungry = ["model._target_=tests.trainer.test_errors.Hungry", "~model.width", f"+model.where={where}"]
    assert ending("experiment=smoke", "model=small_cnn", *hungry, f"+model.kind={kind}").startswith(
        "memory ran out: set fit_memory=true, which divides the batch, lower data.batch_size or data.size, or set "
    )
    assert sentence(MemoryError()).startswith("memory ran out: ")


def test_settings_for_a_gpu_on_a_cpu(ending: Ending, monkeypatch: pytest.MonkeyPatch) -> None:
    norm = "trainer.sync_batchnorm=true needs GPUs: on CPUs set trainer.sync_batchnorm=false."
    assert ending("trainer=ddp", "trainer.accelerator=cpu", "trainer.precision=32-true", "trainer.devices=2") == norm
    half = "trainer.precision=16-true needs a GPU: on a CPU set bf16-mixed, bf16-true or 32-true."
    assert ending("trainer.precision=16-true") == half
    monkeypatch.setattr("sys.argv", ["cli"])
    with pytest.raises(UserError, match="precision=16-true needs a GPU"):
        cli.main(["fit", f"--config={ROOT / 'conf' / 'cli' / 'digits.yaml'}", "--trainer.precision=16-true"])


@pytest.mark.parametrize("command", ["train.py", "cli"])
def test_a_warning_without_compiled_kernels(
    configure: Callable[..., DictConfig], monkeypatch: pytest.MonkeyPatch, command: str, tmp_path: Path
) -> None:
    monkeypatch.setattr("augment.kernels.cpu.library.AVAILABLE", False)
    monkeypatch.setattr("sys.argv", [command])
    monkeypatch.chdir(tmp_path)
    quick = ["--trainer.fast_dev_run=true", "--trainer.logger=false", "--trainer.accelerator=cpu"]
    runs = {
        "train.py": lambda: train(configure("experiment=smoke", "test=false", "data.size=8")),
        "cli": lambda: cli.main(["fit", f"--config={ROOT / 'conf' / 'cli' / 'digits.yaml'}", *quick]),
    }
    with pytest.warns(UserWarning, match="kernels were not compiled") as warned:
        runs[command]()
    said = [str(warning.message) for warning in warned if "kernels were not" in str(warning.message)]
    assert len(said) == 1
    assert "; install g++, then run: " in said[0]


def test_no_gpu(ending: Ending) -> None:
    if torch.cuda.is_available():
        pytest.skip("a GPU is available")
    assert ending("trainer=gpu") == "trainer: No supported gpu backend found!"


def test_bad_batch_size(ending: Ending) -> None:
    assert ending("data.batch_size=0") == "data.module: batch_size=0 must be at least 1 and num_workers=0 at least 0."


def test_endless_schedule(ending: Ending) -> None:
    assert (
        ending("trainer.max_epochs=-1")
        == "the schedule needs the length of training: give the trainer max_epochs or max_steps."
    )


def test_data_that_cannot_be_downloaded(ending: Ending, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # no server listens on the discard port
    said = ending("data=cifar10", f"data.root={tmp_path}")
    assert said.startswith(f"CIFAR10 is not in root='{tmp_path}' and cannot be downloaded (")
    assert said.endswith("connect to the network or copy its files there.")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("trainer.max_epoch=3", "unknown setting trainer.max_epoch: did you mean trainer.max_epochs? Or add"),
        (
            "data=imagenet",
            "data=imagenet is unknown: choose one of cifar10, digits, fashion_mnist, folder, "
            "huggingface, table, task, turned_digits, webdataset.",
        ),
        ("blur=1", "unknown setting blur: choose from "),
        ("seed=[1", "no viable alternative at input '[1'"),
    ],
)
def test_overrides(override: str, said: str) -> None:
    with (
        initialize_config_dir(str(ROOT / "conf"), version_base="1.3"),
        pytest.raises((ConfigCompositionException, OverrideParseException)) as caught,
    ):
        compose("train", overrides=[override])
    assert sentence(caught.value).startswith(said)
    assert "\n" not in sentence(caught.value)


def test_bugs_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    with pytest.raises(ZeroDivisionError), one_sentence():
        _ = 1 / 0


def test_a_module_that_fails_is_a_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "failing_module.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InstantiationException) as caught:
        instantiate({"_target_": "failing_module.Thing"})
    assert sentence(caught.value) is None


def test_traceback_for_those_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("HYDRA_FULL_ERROR", "0"), ("TRAIN_SHOW_TRACEBACK", "0")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", ["train.py", "debug=true"])
    with pytest.raises(UserError), one_sentence():
        raise UserError("kept")
    monkeypatch.setattr("sys.argv", ["train.py"])
    with pytest.raises(SystemExit), one_sentence():
        raise UserError("told")


def test_message_of_a_worker_is_its_last_line() -> None:
    wrapped = (
        "Caught UserError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n"
        '  File "x.py", line 1, in <module>\nlightning_modules.errors.UserError: cannot read it: remove it.\n'
    )
    assert str(UserError(wrapped)) == "cannot read it: remove it."
    assert str(UserError("two\n  lines")) == "two lines"


def test_train_py_itself(tmp_path: Path) -> None:
    """Run train.py as a process and check its exit code and single line."""
    ended = run_train(tmp_path, "trainer.max_epoch=3")
    assert ended.returncode == 2
    assert ended.stderr.strip().count("\n") == 0
    assert ended.stderr.startswith("error: unknown setting trainer.max_epoch")
    ended = run_train(tmp_path, "--multirun", "trainer=ddp_cpu", "seed=0,1", "hydra/launcher=basic")
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1] == (
        "error: this hydra/launcher runs trials on one device but trainer has 2: pass hydra/launcher=fresh_process, or "
        "trainer.devices=1."
    )


def test_what_a_logger_of_another_package_refuses_is_one_sentence(ending: Ending) -> None:
    said = ending("+logger.mine._target_=operator.truediv", "+logger.mine._args_=[1,0]")
    assert said == "logger.mine: division by zero"
