"""LearnPolicy: classifier and policy each update only their own parameters, identically on all processes."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
import yaml
from hydra.utils import instantiate
from omegaconf import DictConfig

import augment as A
from lightning_modules.data.sampler import EndlessBatches, ShardSampler
from lightning_modules.errors import UserError
from lightning_modules.learning.policy import LearnPolicy
from tests.trainer.tools import ROOT, build, run_train

Configure = Callable[..., DictConfig]
LEARN = [
    "experiment=learned_digits",
    "model.width=8",
    "data.batch_size=32",
    "trainer.max_steps=25",
    "trainer.limit_val_batches=0",
    "trainer.num_sanity_val_steps=0",
    "callbacks.learn.every=1",
    "callbacks.learn.warmup=0",
    "callbacks.learn.freeze=0.8",
    "callbacks.learn.batch_size=32",
]


class Watch(pl.Callback):
    """Record what each step changes."""

    def __init__(self) -> None:
        self.start = torch.empty(0)
        self.grads: list[object] = []
        self.policy: list[torch.Tensor] = []
        self.seen: list[set[int]] = []

    def on_train_start(self, trainer: pl.Trainer, model: pl.LightningModule) -> None:
        self.start = torch.cat([p.detach().flatten().clone() for p in model.augment.parameters()])

    def on_before_optimizer_step(self, trainer: pl.Trainer, model: pl.LightningModule, optimizer: object) -> None:
        self.grads.append([p.grad for p in model.augment.parameters()])
        owned = {id(p) for group in optimizer.param_groups for p in group["params"]}
        assert not owned & {id(p) for p in model.augment.parameters()}

    def on_train_batch_end(
        self, trainer: pl.Trainer, model: pl.LightningModule, outputs: object, batch: A.Batch, _: int
    ) -> None:
        self.policy.append(torch.cat([p.detach().flatten().clone() for p in model.augment.parameters()]))
        self.seen.append(set(batch.index.tolist()))


def learn(cfg: DictConfig, *callbacks: pl.Callback, resume: Path | None = None) -> tuple[pl.Trainer, torch.nn.Module]:
    trainer, model, data = build(cfg)
    trainer.callbacks.extend(callbacks)
    trainer.fit(model, data, ckpt_path=resume, weights_only=True)
    return trainer, model


@pytest.mark.parametrize("method", ["budget", "alignment", "joint"])
def test_a_policy_is_learned_beside_the_classifier(configure: Configure, tmp_path: Path, method: str) -> None:
    watch = Watch()
    trainer, model = learn(configure(*LEARN, f"callbacks.learn.method={method}"), watch)
    assert all(g is None for grads in watch.grads for g in grads), "the classifier's step reached the policy"
    assert (watch.policy[0] != watch.policy[19]).all(), "every width and probability moves"
    assert torch.equal(watch.policy[19], watch.policy[24]), "frozen at 80 % of 25 steps"
    (callback,) = (c for c in trainer.callbacks if isinstance(c, LearnPolicy))
    held_out = set(callback._held_out)
    assert len(held_out) == (0 if method == "joint" else 160)
    assert all(not held_out & seen for seen in watch.seen[:20])
    assert all(p.grad is None for p in model.augment.parameters())
    logged = trainer.logged_metrics
    assert {"policy/rotate/width", "policy/rotate/p", "policy/beta"} <= logged.keys()
    assert (tmp_path / "run" / "policy.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    "setting",
    ["trainer.precision=bf16-mixed", "trainer.precision=bf16-true", "trainer.accumulate_grad_batches=2"],
)
@pytest.mark.parametrize("method", ["budget", "alignment", "joint"])
def test_it_learns_under(configure: Configure, method: str, setting: str) -> None:
    """The policy moves similarly under half precision, and under accumulation with a step every second batch."""
    short = [*LEARN, f"callbacks.learn.method={method}", "trainer.max_steps=8", "callbacks.learn.report=null"]
    plain, other = Watch(), Watch()
    learn(configure(*short), plain)
    trainer, model = learn(configure(*short, setting), other)
    assert all(torch.isfinite(p).all() for p in model.parameters())
    taken = next(c for c in trainer.callbacks if isinstance(c, LearnPolicy)).taken
    assert taken == 6  # 80 % of 8 steps
    assert (other.policy[0] != other.policy[-1]).all()
    if method != "alignment":
        torch.testing.assert_close(other.policy[-1], plain.policy[-1], atol=0.35, rtol=0)  # 6 steps of at most 0.05


def test_held_out_images_come_back_in_the_first_epoch_after_the_policy_is_frozen(configure: Configure) -> None:
    """An epoch has 20 batches and 7 steps of three batches; after freezing at step 20, epoch 3 is the next one."""
    watch = Watch()
    trainer, _ = learn(configure(*LEARN, "trainer.accumulate_grad_batches=3", "callbacks.learn.report=null"), watch)
    held_out = set(trainer.datamodule.held_out)
    assert [bool(held_out & seen) for seen in watch.seen].index(True) == 3 * 20


@pytest.mark.parametrize("method", ["budget", "alignment"])
def test_a_step_of_the_policy_leaves_classifier_and_teacher_alone(configure: Configure, method: str) -> None:
    class Step(pl.Callback):
        def on_train_end(self, trainer: pl.Trainer, model: pl.LightningModule) -> None:
            (learner,) = (c for c in trainer.callbacks if isinstance(c, LearnPolicy))
            networks = [model.backbone] if learner.teacher is None else [model.backbone, learner.teacher]
            others = [value for network in networks for value in network.state_dict().values()]
            before, modes = [v.clone() for v in others], [m.training for m in model.modules()]
            policy = torch.cat([p.detach().flatten() for p in model.augment.parameters()])
            for parameter in model.backbone.parameters():
                parameter.grad = None
            learner._learn(trainer, model, *learner._own_pass(trainer, model, trainer.datamodule.example()))
            assert all(torch.equal(a, b) for a, b in zip(before, others, strict=True))
            assert all(p.grad is None for network in networks for p in network.parameters())
            assert modes == [m.training for m in model.modules()]
            assert (policy != torch.cat([p.detach().flatten() for p in model.augment.parameters()])).all()
            self.done = True

    step = Step()
    trainer, model, data = build(configure(*LEARN, f"callbacks.learn.method={method}", "trainer.max_steps=6"))
    trainer.callbacks.append(step)
    LearnPolicy._log, log = lambda *_: None, LearnPolicy._log  # logging is not allowed at this point
    try:
        trainer.fit(model, data)
    finally:
        LearnPolicy._log = log
    assert step.done


def test_the_exported_policy_draws_what_was_learned(configure: Configure, tmp_path: Path) -> None:
    _, model = learn(configure(*LEARN))
    fixed = instantiate(yaml.safe_load((tmp_path / "run" / "policy.yaml").read_text()), _convert_="all")
    images, index = torch.randint(0, 256, (16, 1, 20, 20), dtype=torch.uint8), torch.arange(16)
    with torch.no_grad():
        torch.testing.assert_close(fixed(images, index=index), model.augment(images, index=index), atol=2e-3, rtol=0)
    assert not list(fixed.parameters())
    # and trains elsewhere
    elsewhere = configure(
        "data=turned_digits", "model=small_cnn", f"augment={tmp_path / 'run' / 'policy.yaml'}", "trainer.max_steps=2"
    )
    learn(elsewhere)


@pytest.mark.parametrize(
    ("method", "precision"), [("budget", "32-true"), ("budget", "bf16-true"), ("joint", "32-true")]
)
def test_resuming_continues_the_policy_to_the_bit(
    configure: Configure, tmp_path: Path, method: str, precision: str
) -> None:
    class Stop(pl.Callback):
        def on_train_batch_start(self, trainer: pl.Trainer, *_: object) -> None:
            if trainer.global_step == 12:
                signal.raise_signal(signal.SIGINT)  # takes effect after this step

    settings = [*LEARN, f"callbacks.learn.method={method}", f"trainer.precision={precision}"]
    _, reference = learn(configure(*settings))
    with pytest.raises(SystemExit):
        learn(configure(*settings, f"output_dir={tmp_path / 'first'}"), Stop())
    _, resumed = learn(configure(*settings), resume=tmp_path / "first/checkpoints/last.ckpt")
    for name, value in reference.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


@pytest.mark.parametrize("method", ["budget", "alignment", "joint"])
def test_two_processes_learn_the_policy_that_one_learns(configure: Configure, tmp_path: Path, method: str) -> None:
    """After 20 policy steps, both ranks are identical, and equal to a single process up to rounding."""
    settings = [*LEARN, f"callbacks.learn.method={method}"]
    both = run_train(
        tmp_path,
        *settings,
        "trainer=ddp_cpu",
        "data.batch_size=16",
        "test=false",
        f"output_dir={tmp_path / 'both'}",
        "+callbacks.save._target_=tests.trainer.test_policy.Save",
        f"+callbacks.save.folder={tmp_path}",
        PYTHONPATH=str(ROOT),
    )
    assert both.returncode == 0, both.stderr
    trainer, _, _ = built = build(configure(*settings))
    trainer.callbacks.append(Save(str(tmp_path), "one"))
    trainer.fit(*built[1:])
    first, second, one = (torch.load(tmp_path / f"{name}.pt") for name in ("0", "1", "one"))
    assert first["taken"] == one["taken"] == 20
    assert torch.equal(first["policy"], second["policy"])
    assert first["log_beta"] == second["log_beta"] == pytest.approx(one["log_beta"], abs=1e-4)
    torch.testing.assert_close(first["early"], one["early"], atol=1e-3, rtol=0)
    if method != "alignment":  # a finite difference amplifies rounding errors
        torch.testing.assert_close(first["policy"], one["policy"], atol=1e-3, rtol=0)


def test_processes_share_the_batch_norm_statistics_of_the_teacher(tmp_path: Path) -> None:
    """Each process estimates them from its own images; a checkpoint holds the first one's."""
    norm = ["model=timm", "~model.width", "operators=[rotate]", "callbacks.learn.report=null"]
    given = [given for given in LEARN if not given.startswith(("model.width", "trainer.max_steps"))]
    ended = run_train(
        tmp_path,
        *given,
        *norm,
        "trainer=ddp_cpu",
        "trainer.max_steps=3",
        "test=false",
        "+callbacks.save._target_=tests.trainer.test_policy.SaveTeacher",
        f"+callbacks.save.folder={tmp_path}",
        PYTHONPATH=str(ROOT),
    )
    assert ended.returncode == 0, ended.stderr
    (first, mine), (second, other) = (torch.load(tmp_path / f"teacher-{rank}.pt") for rank in (0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(mine, other), "the classifier's own statistics differ"


class SaveTeacher(pl.Callback):
    """Write the batch-norm statistics of the teacher and of the classifier on this process to a folder."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def on_train_end(self, trainer: pl.Trainer, model: pl.LightningModule) -> None:
        (learner,) = (c for c in trainer.callbacks if isinstance(c, LearnPolicy))
        state = [
            torch.cat([b.flatten() for b in network.buffers() if b.is_floating_point()])
            for network in (learner.teacher, model.backbone)
        ]
        torch.save(state, self.folder / f"teacher-{trainer.global_rank}.pt")


class Save(pl.Callback):
    """Write the policy of this process to a folder, after 5 steps and at the end."""

    def __init__(self, folder: str, name: str | None = None) -> None:
        self.folder, self.name = Path(folder), name

    def on_train_batch_end(self, trainer: pl.Trainer, model: pl.LightningModule, *_: object) -> None:
        if trainer.global_step == 5:
            self.early = torch.cat([p.detach().flatten().clone() for p in model.augment.parameters()])

    def on_train_end(self, trainer: pl.Trainer, model: pl.LightningModule) -> None:
        (learner,) = (c for c in trainer.callbacks if isinstance(c, LearnPolicy))
        policy = torch.cat([p.detach().flatten() for p in model.augment.parameters()])
        state = {"policy": policy, "early": self.early, "log_beta": learner.log_beta, "taken": learner.taken}
        torch.save(state, self.folder / f"{self.name or trainer.global_rank}.pt")


def test_what_is_held_out_comes_back() -> None:
    held_out = [3, 5, 8, 9]
    sampler = ShardSampler(20, train=True, held_out=held_out, until=lambda: 2)
    for epoch, folded in ((0, False), (1, False), (2, True), (3, True)):
        sampler.set_epoch(epoch)
        order = list(sampler)
        assert len(set(order)) == len(order) == len(sampler) == 16
        assert bool(set(order) & set(held_out)) == folded


def test_endless_batches_are_a_function_of_their_place() -> None:
    def take(count: int, size: int = 4, **options: int) -> list[list[int]]:
        batches = iter(EndlessBatches([1, 4, 6, 7, 9], size, seed=3, **options))
        return [next(batches) for _ in range(count)]

    all_of_them = take(5)
    assert sorted(number for batch in all_of_them for number in batch) == sorted([1, 4, 6, 7, 9] * 4)
    assert take(3, done=8) == all_of_them[2:]
    smaller = take(6, size=2, done=8)
    assert [a + b for a, b in zip(smaller[::2], smaller[1::2], strict=True)] == all_of_them[2:]
    halves = [take(5, world=2, rank=rank) for rank in (0, 1)]
    assert [sorted(a + b) for a, b in zip(*halves, strict=True)] == [sorted(batch) for batch in all_of_them]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("callbacks.learn.method=magic", "method='magic' must be one of budget, alignment, joint"),
        ("callbacks.learn.warmup=0.9", "warmup=0.9 and freeze=0.8 must satisfy"),
        ("callbacks.learn.delta=0", "delta=0 must be positive"),
        ("callbacks.learn.ema=1.0", r"ema=1.0 must lie within \[0, 1\)"),
        ("callbacks.learn.share=1.0", "the shares"),
        ("callbacks.learn.share=0.0001", "leaves none on one side"),
        ("augment._args_.1.operators=[twirl]", "'twirl'; known are rotate"),
    ],
)
def test_what_it_refuses(configure: Configure, override: str, message: str) -> None:
    with pytest.raises(Exception, match=message) as caught:
        learn(configure(*LEARN, override))
    error = caught.value
    assert isinstance(error, (UserError, ValueError)) or isinstance(error.__cause__, (UserError, ValueError))


def test_a_pipeline_without_anything_to_learn_is_refused(configure: Configure) -> None:
    trainer, model, data = build(configure("data=turned_digits", "model=small_cnn", "augment=none"))
    trainer.callbacks.append(LearnPolicy())
    with pytest.raises(UserError, match="nothing to learn"):
        trainer.fit(model, data)
