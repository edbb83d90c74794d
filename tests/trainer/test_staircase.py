"""StaircasePolicy: what passes, what is given up, and that a resumed run is the same."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from augment.layers.policies.learned import policies_in
from lightning_modules.errors import UserError
from lightning_modules.learning.staircase import StaircasePolicy
from lightning_modules.learning.stairs import HARM, OFF, PER_IMAGE, RUNGS, TOLERANCE, TRIAL, Stairs
from lightning_modules.reporting.report import Report
from tests.trainer.tools import ROOT, build, run_train

Configure = Callable[..., DictConfig]
MIRRORED = ["experiment=regret", "augment=staircase", "data.task=mirrored", "callbacks.staircase.report=null"]


def test_an_operator_climbs_waits_or_is_given_up() -> None:
    stairs = Stairs({"rotate": len(RUNGS), "hue": len(RUNGS), "scale": len(RUNGS), "invert": 1})
    stairs.judge("rotate", TOLERANCE, 0.1)
    stairs.judge("hue", HARM + 0.3, 0.1)
    stairs.judge("scale", HARM + 0.1, 0.1)  # large, but not certain
    stairs.judge("invert", 0.0, 0.0)
    assert stairs.open() == ["rotate", "scale"]
    assert stairs.trial() == {
        "rotate": (RUNGS[1], TRIAL),
        "hue": (RUNGS[0], OFF),
        "scale": (RUNGS[0], TRIAL),
        "invert": (RUNGS[0], TRIAL),
    }
    assert stairs.only("rotate") == {**stairs.nothing(), "rotate": (RUNGS[1], 1.0)}
    assert stairs.final() == {**stairs.nothing(), "rotate": (RUNGS[0], 0.5), "invert": (RUNGS[0], 0.5)}
    assert Stairs.restored(stairs.state_dict()).state_dict() == stairs.state_dict()


def test_many_operators_share_an_image() -> None:
    stairs = Stairs(dict.fromkeys("abcdefghij", 1))
    for name in stairs.open():
        stairs.judge(name, 0.0, 0.0)
    assert sum(p for _, p in stairs.final().values()) == pytest.approx(PER_IMAGE)


class Seen(pl.Callback):
    """Record the samples and the policy of every step."""

    def __init__(self) -> None:
        self.samples: list[set[int]] = []
        self.policy: list[torch.Tensor] = []

    def on_train_batch_start(self, trainer: pl.Trainer, model: pl.LightningModule, batch: object, _: int) -> None:
        self.samples.append(set(batch.index.tolist()))
        self.policy.append(torch.stack([p.detach().flatten()[0] for p in model.augment.parameters()]))


def fitted(
    cfg: DictConfig, *callbacks: pl.Callback, resume: Path | None = None
) -> tuple[pl.Trainer, pl.LightningModule]:
    trainer, model, data = build(cfg)
    trainer.callbacks.extend(callbacks)
    trainer.fit(model, data, ckpt_path=resume, weights_only=True)
    return trainer, model


def test_a_flip_that_breaks_the_label_is_given_up_and_colour_of_grey_images_is_free(configure: Configure) -> None:
    seen = Seen()
    operators = "operators=[translate_y,hue,horizontal_flip]"
    trainer, model = fitted(configure(*MIRRORED, operators, "trainer.max_steps=160"), seen)
    (callback,) = (c for c in trainer.callbacks if isinstance(c, StaircasePolicy))
    (policy,) = policies_in(model.augment)
    state = policy.state()
    assert callback.stairs.closed == {"horizontal_flip"}
    assert state["horizontal_flip"]["p"] < 0.01
    assert state["hue"]["width"] > 0.9 * state["hue"]["cap"]
    assert state["hue"]["p"] == pytest.approx(0.5, abs=0.01)
    held_out = set(trainer.datamodule.held_out)
    back = [bool(held_out & samples) for samples in seen.samples].index(True)
    assert 56 <= back < 56 + trainer.num_training_batches, "held-out images join in the epoch after the last test"
    assert all(torch.equal(seen.policy[56], later) for later in seen.policy[57:])
    assert not torch.equal(seen.policy[55], seen.policy[56])
    assert not [p for p in model.augment.parameters() if p.requires_grad]


def test_a_resumed_run_is_the_same(configure: Configure, tmp_path: Path) -> None:
    short = [*MIRRORED, "trainer.max_steps=20", "operators=[rotate,horizontal_flip]"]
    save = pl.callbacks.ModelCheckpoint(tmp_path, every_n_train_steps=7, save_top_k=-1)
    _, whole = fitted(configure(*short), save)
    (part,) = tmp_path.glob("*step=7.ckpt")
    trainer, again = fitted(configure(*short), resume=part)
    assert trainer.global_step == 20
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    with pytest.raises(UserError, match="held out different images"):
        fitted(configure(*short, "callbacks.staircase.share=0.3"), resume=part)


class Save(pl.Callback):
    """Write the policy of this process, and what was found, to a folder."""

    def __init__(self, folder: str, name: str | None = None) -> None:
        self.folder, self.name = Path(folder), name

    def on_train_end(self, trainer: pl.Trainer, model: pl.LightningModule) -> None:
        (callback,) = (c for c in trainer.callbacks if isinstance(c, StaircasePolicy))
        policy = torch.stack([p.detach().flatten()[0] for p in model.augment.parameters()])
        losses = callback.stairs.losses
        torch.save({"policy": policy, "losses": losses}, self.folder / f"{self.name or trainer.global_rank}.pt")


def test_two_processes_find_what_one_finds(configure: Configure, tmp_path: Path) -> None:
    settings = [*MIRRORED, "trainer.max_steps=8", "operators=[rotate,horizontal_flip]"]
    both = run_train(
        tmp_path,
        *settings,
        "trainer=ddp_cpu",
        "data.batch_size=16",
        "test=false",
        f"output_dir={tmp_path / 'both'}",
        "+callbacks.save._target_=tests.trainer.test_staircase.Save",
        f"+callbacks.save.folder={tmp_path}",
        PYTHONPATH=str(ROOT),
    )
    assert both.returncode == 0, both.stderr
    fitted(configure(*settings), Save(str(tmp_path), "one"))
    first, second, one = (torch.load(tmp_path / f"{name}.pt") for name in ("0", "1", "one"))
    assert first["losses"] == second["losses"] == pytest.approx(one["losses"], abs=1e-2)
    assert torch.equal(first["policy"], second["policy"])
    torch.testing.assert_close(first["policy"], one["policy"])


def test_the_report_holds_the_policy(configure: Configure, tmp_path: Path) -> None:
    with_report = [name for name in MIRRORED if "report" not in name]
    trainer, _ = fitted(
        configure(*with_report, "trainer.max_steps=24", "operators=[rotate]"), Report(str(tmp_path / "run"))
    )
    assert "RandomRotation" in (tmp_path / "run" / "policy.yaml").read_text()
    assert (tmp_path / "run" / "policy.png").exists()
    (callback,) = (c for c in trainer.callbacks if isinstance(c, StaircasePolicy))
    findings = callback.findings()
    assert findings is not None
    assert (tmp_path / "run" / "policy.md").read_text() == findings.markdown()
    for page in ((tmp_path / "run" / name).read_text() for name in ("report.html", "report.md")):
        assert "What the augmentation has learned" in page
        assert all(html.escape(sentence, quote=page.startswith("<")) in page for sentence in findings.sentences)
    assert '<img alt="" style="max-width: 100%" src="data:image/png' in (tmp_path / "run" / "report.html").read_text()


def test_what_it_needs_is_said(configure: Configure) -> None:
    with pytest.raises(UserError, match="must have one LearnedPolicy"):
        fitted(configure(*MIRRORED, "augment._args_=[]"))
    with pytest.raises(UserError, match=r"warmup=0\.5, freeze=0\.2 must satisfy"):
        StaircasePolicy(warmup=0.5, freeze=0.2)
    with pytest.raises(UserError, match="must have an end"):
        fitted(configure(*MIRRORED, "trainer.max_steps=-1", "scheduler=none"))
