"""A sweep: every trial has a process of its own, a failed one does not end it, and a table lists all of them."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

from lightning_modules.errors import UserError
from lightning_modules.sweeps import fresh_process
from lightning_modules.sweeps.optuna_sweeper import OptunaSweeper
from lightning_modules.sweeps.sweep_table import NAME, SweepTable, print_table, write_table
from lightning_modules.sweeps.trials import Trial, run_trial, write_results
from tests.trainer.tools import run_train


def python(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


def test_processes_failures_and_the_table(tmp_path: Path) -> None:
    """The first trial has two processes, and the second one an error."""
    ended = run_train(tmp_path, "-m", "experiment=smoke", "trainer=ddp_cpu", "optimizer.lr=1e-3,none", "logger=none")
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("error: optimizer.lr=none must be a number.") == 1
    (sweep,) = (tmp_path / "multirun" / "smoke").iterdir()
    first, second = csv.DictReader((sweep / NAME).open())
    assert list(first) == ["trial", "optimizer.lr", "val/acc", "test/acc", "test/loss", "minutes", "status", "folder"]
    assert (first["optimizer.lr"], first["status"]) == ("0.001", "finished")
    assert (second["optimizer.lr"], second["status"]) == ("none", "failed: optimizer.lr=none must be a number.")
    results = json.loads((Path(first["folder"]) / "results.json").read_text())
    assert float(first["val/acc"]) == results["best"]["val/acc"]
    assert float(first["test/acc"]) == results["test"]["test/acc"]
    assert Path(first["folder"]) == sweep / "0"
    assert (sweep / "0" / "checkpoints" / "last.ckpt").is_file()
    assert second["val/acc"] == second["test/acc"] == ""
    assert "failed: optimizer.lr=none" in ended.stdout


def test_results(tmp_path: Path) -> None:
    write_results(str(tmp_path), {"val/acc": 0.5}, {"test/acc": 0.25})
    trial, stopped_by = run_trial(3, ["seed=1"], python("pass"), tmp_path)
    assert (trial.number, trial.overrides, trial.error, trial.score) == (3, ["seed=1"], None, 0.5)
    assert trial.test == {"test/acc": 0.25}
    assert stopped_by is None


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("import sys; print('error: why.\\nlast words', file=sys.stderr); sys.exit(2)", "why."),
        ("raise ValueError('a bug')", "ValueError: a bug"),
        ("import sys; sys.exit(3)", "exit code 3"),
        ("import os; os.kill(os.getpid(), 9)", "ended by SIGKILL"),
    ],
)
def test_why_a_trial_failed(tmp_path: Path, code: str, error: str, capfd: pytest.CaptureFixture) -> None:
    trial, stopped_by = run_trial(0, [], python(code), tmp_path)
    assert (trial.error, trial.score, stopped_by) == (error, None, None)
    if "print" in code:
        assert "last words" in capfd.readouterr().err


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def test_processes_of_a_trial_do_not_outlive_it(tmp_path: Path) -> None:
    """The child holds stderr open, so waiting for its end would wait for the child."""
    code = "import subprocess, sys\nchild = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(900)'])\n"
    began = time.monotonic()
    trial, _ = run_trial(0, [], python(f"{code}sys.exit(f'child {{child.pid}}')"), tmp_path)
    while is_running(int(trial.error.split()[1])):
        assert time.monotonic() - began < 600
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_trial_which_may_save(tmp_path: Path, number: int) -> None:
    code = f"import signal, sys, time\nsignal.signal({int(number)}, lambda *_: sys.exit({128 + number}))\n"
    code += f"open({str(tmp_path / 'ready')!r}, 'w').close()\ntime.sleep(900)"

    def send() -> None:
        while not (tmp_path / "ready").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    threading.Thread(target=send).start()
    trial, stopped_by = run_trial(0, [], python(code), tmp_path)
    assert trial.error == f"ended by {signal.Signals(number).name}"
    assert stopped_by == number


def test_a_signal_while_a_trial_starts_reaches_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the scheduler had stopped this process right after it started the other."""
    start = subprocess.Popen

    def started(*arguments: Any, **options: Any) -> subprocess.Popen:
        process = start(*arguments, **options)
        signal.raise_signal(signal.SIGTERM)
        return process

    monkeypatch.setattr(subprocess, "Popen", started)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what would end this process
    try:
        trial, stopped_by = run_trial(0, [], python("import time; time.sleep(5)"), tmp_path)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert trial.error == "ended by SIGTERM"
    assert stopped_by == signal.SIGTERM


def test_a_signal_ends_the_sweep_with_its_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    commands = []

    def run(number: int, overrides: list[str], command: list[str], folder: Path) -> tuple[Trial, int | None]:
        commands.append(command)
        error, stopped_by = (None, None) if number == 0 else ("ended by SIGINT", signal.SIGINT)
        return Trial(number, overrides, folder, 1.0, error), stopped_by

    monkeypatch.setattr(fresh_process, "run_trial", run)
    sweep = {"dir": str(tmp_path), "subdir": "${hydra.job.num}"}
    sources = [{"provider": "main", "path": "conf"}, {"provider": "command-line", "path": "/mine"}]
    hydra = {"sweep": sweep, "job": {"config_name": "train"}, "runtime": {"config_sources": sources}}
    config = OmegaConf.create(
        {"hydra": hydra | {"overrides": {"hydra": ["hydra.mode=MULTIRUN", "hydra.verbose=true"]}}}
    )
    launcher = fresh_process.FreshProcess()
    loader = SimpleNamespace(load_sweep_config=lambda master, overrides: master.copy())
    launcher.setup(hydra_context=SimpleNamespace(config_loader=loader), task_function=None, config=config)
    with pytest.raises(SystemExit) as ended:
        launcher.launch([["seed=0"], ["seed=1"], ["seed=2"]], initial_job_idx=0)
    assert ended.value.code == 130
    assert len(list(csv.DictReader((tmp_path / NAME).open()))) == len(commands) == 2
    assert "failed: ended by SIGINT" in capsys.readouterr().out
    added = ["--config-name=train", "--config-dir=/mine", "seed=1", "hydra.verbose=true", "hydra.mode=RUN"]
    assert commands[1][2:] == [*added, "hydra.job.num=1", f"hydra.run.dir='{tmp_path / '1'}'"]


def test_torchrun_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    with pytest.raises(UserError, match="run it with python instead of torchrun"):
        run_trial(0, [], python("pass"), tmp_path)


def trials(folder: Path) -> list[Trial]:
    best, test = {"val/acc": 0.9}, {"test/acc": 0.8, "test/loss": 0.7}
    return [
        Trial(0, ["augment=none", "+x=1", "seed=0"], folder / "0", 1.5, None, best, test),
        Trial(1, ["augment=light", "+x=1"], folder / "1", 0.5, "a, b"),
    ]


def test_table(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    ended = trials(tmp_path)
    write_table(ended[:1], [trial.overrides for trial in ended], tmp_path)
    assert (tmp_path / NAME).read_text().startswith("trial,augment,seed,val/acc,test/acc,test/loss,minutes,status,fo")
    write_table(ended, [trial.overrides for trial in ended], tmp_path)
    first, second = csv.DictReader((tmp_path / NAME).open())
    assert list(first.values()) == ["0", "none", "0", "0.9", "0.8", "0.7", "1.50", "finished", str(tmp_path / "0")]
    assert list(second.values()) == ["1", "light", "", "", "", "", "0.50", "failed: a, b", str(tmp_path / "1")]
    assert print_table(tmp_path) == 1
    assert "90.00 %" in capsys.readouterr().out


def test_a_sweep_without_a_finished_trial_fails(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    config = SimpleNamespace(hydra=SimpleNamespace(sweep=SimpleNamespace(dir=str(tmp_path))))
    SweepTable().on_multirun_end(config)  # another launcher writes no table
    write_table(trials(tmp_path)[1:], [[]], tmp_path)
    with pytest.raises(SystemExit) as ended:
        SweepTable().on_multirun_end(config)
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: all trials failed; the table says why.\n"


class Launcher:
    """Answers with the accuracy that a learning rate of 0.01 maximises; the first trial fails."""

    def __init__(self) -> None:
        self.launched: list[dict[str, str]] = []

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        (overrides,) = job_overrides
        assert initial_job_idx == len(self.launched)
        self.launched.append(dict(override.split("=") for override in overrides))
        rate = float(self.launched[-1]["optimizer.lr"])
        ended = JobReturn(status=JobStatus.COMPLETED)
        ended.return_value = None if initial_job_idx == 0 else -abs(rate - 0.01)
        return [ended]


def optuna_sweeper(**options: Any) -> Any:
    pytest.importorskip("optuna")
    sweeper = OptunaSweeper(**{"trials": 12, "seed": 0, "direction": "maximize"} | options)
    sweeper.loader, sweeper.launcher = None, Launcher()
    return sweeper


def test_optuna_chooses_settings(capsys: pytest.CaptureFixture) -> None:
    params = {"optimizer.lr": "tag(log,interval(1e-4,1e-1))", "augment": "none,light", "model": "timm"}
    first, second = (optuna_sweeper(params=params) for _ in range(2))
    for sweeper in (first, second):
        sweeper.sweep(["data.batch_size=int(interval(8,16))", "model=small_cnn"])
    launched = first.launcher.launched
    assert launched == second.launcher.launched  # a function of the seed
    assert len(launched) == 12
    assert {trial["augment"] for trial in launched} == {"none", "light"}
    assert {trial["model"] for trial in launched} == {"small_cnn"}
    assert all(1e-4 <= float(trial["optimizer.lr"]) <= 1e-1 for trial in launched)
    assert all(8 <= int(trial["data.batch_size"]) <= 16 for trial in launched)
    rates = [float(trial["optimizer.lr"]) for trial in launched[1:]]
    best = min(range(11), key=lambda i: abs(rates[i] - 0.01)) + 1
    assert f"best of 12 trials: trial {best} " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "arguments", "error"),
    [
        ({"trials": 0}, [], "hydra.sweeper.trials=0 must be at least 1"),
        ({"direction": "up"}, [], "hydra.sweeper.direction=up must be maximize or minimize"),
        ({}, ["seed=1"], "no setting to choose"),
        ({}, ["optimizer.lr=interval(2.0,1.0)"], r"optimizer.lr=interval\(2.0,1.0\) is not a range"),
        ({}, ["optimizer.lr=tag(log,interval(0.0,1.0))"], "is not a range"),
    ],
)
def test_wrong_searches(options: dict[str, Any], arguments: list[str], error: str) -> None:
    with pytest.raises(UserError, match=error):
        optuna_sweeper(**options).sweep(arguments)


def test_optuna_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match=r"pip install -e '.\[sweep\]'"):
        OptunaSweeper(1, 0, "maximize").sweep([])
