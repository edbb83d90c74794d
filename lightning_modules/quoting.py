"""Text as a value of a setting of Hydra."""

from __future__ import annotations


def quoted(text: str) -> str:
    """Return a value that Hydra's grammar reads as this text."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def unquoted(text: str) -> str:
    """Return the text that `quoted` made a value of; another value stays as it is."""
    if not (len(text) > 1 and text[0] == text[-1] == "'"):
        return text
    return text[1:-1].replace("\\'", "'").replace("\\\\", "\\")
