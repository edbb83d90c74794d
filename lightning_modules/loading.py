"""A trained classifier from its checkpoint alone, without configuration, trainer and data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

import augment as A
from lightning_modules.classifier import ImageClassifier
from lightning_modules.errors import UserError
from lightning_modules.model.build import built
from lightning_modules.model.description import DESCRIPTION, adopt
from lightning_modules.model.losses import MultiLabel
from lightning_modules.model.weights import refuse_other_weights
from lightning_modules.saving.saved import refuse_damaged

_NO_WEIGHTS = {"pretrained": False, "checkpoint_path": None, "weights": None}
"""Values of a network's arguments with which it starts from random weights."""

_ENTRIES = ("classes", "multi_label", "channels", "background", "input_size", "preprocess", "backbone", "config")
"""Entries of a description that are needed here."""

_NETWORK = "backbone."
"""What the names of the network's weights begin with."""


def load(path: str | os.PathLike, device: str | torch.device = "cpu", trust: bool = False) -> ImageClassifier:
    """Return the classifier of a checkpoint, in evaluation mode.

    It has `class_names`, `preprocess`, `backbone`, `input_size` and `predict(images)`. It is loaded without its
    augmentation, so training it again would train on preprocessed images. With callbacks=ema, the weights are the
    average, which was validated.

    Args:
        path: a checkpoint of train.py or of the Lightning CLI.
        device: where the model goes.
        trust: build whatever the checkpoint names, which runs any code that its author wants. Otherwise it may name
            networks of timm, `small_cnn`, `resnet9`, and layers of augment only.

    Raises:
        UserError: the file is no checkpoint, was saved before checkpoints described their model, or names something
            else.

    Example:
        >>> model = load("outputs/.../checkpoints/best.ckpt")
        >>> model.class_names[model.predict("photo.jpg")[0].argmax()]
        'cat'
    """
    checkpoint = _read(Path(path))
    description = checkpoint[DESCRIPTION]
    if description["backbone"] is None:
        raise UserError(
            f"{path} does not say how its network was built: build the ImageClassifier, and give its load_state_dict "
            "the state_dict of the file."
        )
    network = built(_without_weights(description["backbone"]), trust)
    preprocess = built(description["preprocess"], trust)
    if not isinstance(network, torch.nn.Module) or not isinstance(preprocess, A.Preprocess):
        raise UserError(f"{path} describes no network with its A.Preprocess, so it cannot be loaded.")
    model = ImageClassifier(
        network,
        preprocess,
        preprocess,
        num_classes=len(description["classes"]),
        input_size=description["input_size"],
        loss=MultiLabel() if description["multi_label"] else None,
    )
    adopt(model, description)
    model.config = description["config"]
    weights = {n.removeprefix(_NETWORK): w for n, w in checkpoint["state_dict"].items() if n.startswith(_NETWORK)}
    refuse_other_weights(weights, network.state_dict())
    network.load_state_dict(weights)
    return model.to(device).eval()


def _read(path: Path) -> dict[str, Any]:
    """Return the content of a checkpoint."""
    if not path.is_file():
        raise UserError(f"path={str(path)!r} is not a file; give the path of a checkpoint such as .../best.ckpt.")
    refuse_damaged(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # torch raises many kinds of error for a file with other contents
        raise UserError(f"{path} holds more than tensors and plain values, so it is no checkpoint of a run.") from error
    if not isinstance(content, dict) or "state_dict" not in content:
        raise UserError(f"{path} is no checkpoint of a run, but another file saved by torch.")
    if DESCRIPTION not in content:
        raise UserError(
            f"{path} was saved before checkpoints described their model: continue the run, which saves a new one, or "
            "build the ImageClassifier and give its load_state_dict the state_dict of the file."
        )
    if not {*_ENTRIES} <= content[DESCRIPTION].keys():
        raise UserError(f"the description of the model in {path} is incomplete; it needs {', '.join(_ENTRIES)}.")
    return content


def _without_weights(settings: dict[str, Any]) -> dict[str, Any]:
    return settings | {name: value for name, value in _NO_WEIGHTS.items() if name in settings}
