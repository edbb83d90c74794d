"""`train=false ckpt_path=FILE`: a test takes the settings of the run that wrote the checkpoint."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from lightning_modules.errors import UserError
from lightning_modules.launching.start import PATHS
from lightning_modules.model.backbones import ELSEWHERE
from lightning_modules.quoting import quoted, unquoted
from lightning_modules.saving.saved import LAST, last_of_run, saved_description

OVERRIDES = "overrides"
"""Key, in the configuration that a checkpoint holds, of what the command line of its run said."""

TRUST = "trust_checkpoint=true"

_CARRIED = re.compile(r"\+{0,2}(experiment|seed|data|model|preprocess)[.=]|loss=(binary|multi_label)$")
"""What a test needs of the overrides of a run: its data, its network, and the kind of its labels."""

_NO_START = {"pretrained": False, "checkpoint_path": None}
"""Arguments of a network that say where its training starts; the weights of the checkpoint replace them."""

_PLAIN = re.compile(r"seed=\d+|(experiment|data|model|loss)=[\w-]+|\+{0,2}(data|model|preprocess)(\.[a-z]\w*)+=[^{]*")
"""Overrides that build nothing but the choices of conf/, whatever wrote them."""


def overrides_of_run(cfg: DictConfig) -> list[str]:
    """Return the overrides of this run that a later test of its checkpoints needs; paths become absolute.

    Args:
        cfg: the configuration, whose paths are absolute.
    """
    given = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    kept = [word for word in given if _CARRIED.match(word) and _key(word).removeprefix("model.") not in _NO_START]
    return [
        f"{_key(word)}={quoted(OmegaConf.select(cfg, _key(word)))}" if _is_path(cfg, word) else word for word in kept
    ]


def _is_path(cfg: DictConfig, word: str) -> bool:
    return _key(word) in PATHS and isinstance(OmegaConf.select(cfg, _key(word)), str)


def with_checkpoint(words: Sequence[str]) -> list[str]:
    """Put the settings of a checkpoint before those of a command line that only tests it.

    Each setting of the command line replaces the checkpoint's; a choice such as data=folder replaces all of its group
    but the size and the statistics that the network needs. The function is idempotent, because the other processes of
    a distributed run start with the words of the first.

    Raises:
        UserError: the checkpoint asks to build something else than choices of conf/, and is not trusted.

    Example: `with_checkpoint(["train=false", "ckpt_path=best.ckpt"])` may return
    `["data.size=64", "data=digits", "train=false", "ckpt_path=best.ckpt"]`.
    """
    given = {_key(word): word.partition("=")[2] for word in words if "=" in word}
    path = _checkpoint(given)
    saved = saved_description(path) if path is not None else None
    overrides = ((saved or {}).get("config") or {}).get(OVERRIDES)
    if saved is None or overrides is None:
        return list(words)
    recorded = [word for word in overrides if {_key(word), _key(word).partition(".")[0]}.isdisjoint(given)]
    known = {*given, *map(_key, recorded)}
    taken = [*(word for word in _needed(saved) if _key(word) not in known), *recorded]
    for word in taken:
        name = unquoted(word.partition("=")[2])
        plain = _PLAIN.fullmatch(word) and "${" not in word and not name.startswith(ELSEWHERE)
        if not plain and TRUST not in map(str.lower, words):
            raise UserError(
                f"the run of {path} had the setting {word}, which may run code: give it again, or another one, or "
                f"trust the checkpoint's author with {TRUST}."
            )
    if taken:
        print(f"settings of the checkpoint: {' '.join(taken)}", flush=True)
    return [*taken, *words]


def _checkpoint(given: dict[str, str]) -> str | None:
    """Return the checkpoint of a command line that only tests; None if it trains or predicts, or names no file."""
    if given.get("train", "").lower() != "false" or given.get("predict", "null") != "null":
        return None
    path: str | None = str(Path(unquoted(given.get("ckpt_path", "null"))).expanduser())
    if path == LAST:
        path = last_of_run(unquoted(given["hydra.run.dir"])) if "hydra.run.dir" in given else None
    return path if path is not None and Path(path).is_file() else None


def _needed(saved: dict[str, Any]) -> list[str]:
    """Return the settings without which a network would see other images than in its training."""
    preprocess, network = saved["preprocess"], saved["backbone"] or {}
    sees = {f"data.{name}": preprocess.get(name) for name in ("size", "mean", "std")}
    if not isinstance(sees["data.size"], int):  # a rectangle, which no choice of data has by itself
        del sees["data.size"]
    needed: dict[str, Any] = {name: value for name, value in sees.items() if value is not None}
    needed |= {f"model.{name}": value for name, value in _NO_START.items() if name in network}
    return [f"{name}={json.dumps(value, separators=(',', ':'))}" for name, value in needed.items()]


def _key(word: str) -> str:
    return word.partition("=")[0].lstrip("+")
