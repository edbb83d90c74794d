"""What an exported file says about itself, beside its weights."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lightning_modules.model.description import described

if TYPE_CHECKING:
    from lightning_modules.classifier import ImageClassifier


def facts_of(model: ImageClassifier, output: str, layout: str) -> dict[str, str]:
    """Return texts, because not all formats hold more; lists and dictionaries are JSON.

    `classes` has one name per line too, for programs that read no JSON.

    Example:
        >>> json.loads(facts_of(model, "logits", "bchw")["class_names"])
        ['cat', 'dog']
    """
    description = described(model)
    return {
        "class_names": json.dumps(description["classes"]),
        "classes": "\n".join(description["classes"]),
        "input": f"uint8 {layout}",
        "output": output,
        "channels": str(model.channels),
        "versions": json.dumps(description["versions"]),
        "description": json.dumps(description),
    }
