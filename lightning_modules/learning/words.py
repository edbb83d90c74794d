"""What was learned about the data, in words: which changes are harmless, how far, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from lightning_modules.learning.stairs import TOLERANCE, Limit, Stairs, Trial

RARE = 0.05
"""Probability below which an operator counts as given up by a policy that is learned with gradients."""

State = Mapping[str, Mapping[str, float]]
"""For each operator "p" and, if it has one, "width" and "cap"; see `LearnedPolicy.state`."""

_PHRASES: dict[str, tuple[str, Callable[[float], str] | None]] = {
    "rotate": ("turns", lambda w: f"{w:.0f} degrees"),
    "translate_x": ("shifts to the side", lambda w: f"{100 * w:.0f} % of the width"),
    "translate_y": ("shifts up and down", lambda w: f"{100 * w:.0f} % of the height"),
    "scale": ("changes of size", lambda w: f"a factor of {math.exp(w):.2f}"),
    "shear_x": ("slants to the side", lambda w: f"{w:.0f} degrees"),
    "shear_y": ("slants up and down", lambda w: f"{w:.0f} degrees"),
    "brightness": ("changes of brightness", lambda w: f"{100 * w:.0f} % of the range"),
    "contrast": ("changes of contrast", lambda w: f"{100 * w:.0f} %"),
    "saturation": ("changes of saturation", lambda w: f"{100 * w:.0f} %"),
    "hue": ("changes of hue", lambda w: f"{360 * w:.0f} degrees of the colour circle"),
    "gamma": ("changes of gamma", lambda w: f"an exponent of {math.exp(w):.2f}"),
    "sharpness": ("changes of sharpness", lambda w: f"{100 * w:.0f} %"),
    "invert": ("negatives", None),
    "equalize": ("equalised images", None),
    "autocontrast": ("images with stretched contrast", None),
    "horizontal_flip": ("mirror images", None),
}
"""The plural of what an operator makes, and how its width is said."""


class Findings(NamedTuple):
    """What a policy says about the data.

    Attributes:
        sentences: the summary, a sentence for each operator, and how it was found out.
        columns, rows: the same as a table.
        limits: the limits of each operator, if they were tested.
    """

    sentences: list[str]
    columns: list[str]
    rows: list[list[str]]
    limits: Sequence[Limit] = ()

    def markdown(self) -> str:
        """Return everything as the text of policy.md."""
        table = [self.columns, ["---"] * len(self.columns), *self.rows]
        lines = [f"| {' | '.join(line)} |" for line in table]
        summary, *others = self.sentences
        listed = "\n".join(f"- {sentence}" for sentence in others)
        return f"# What was learned\n\n**{summary}**\n\n{listed}\n\n" + "\n".join(lines) + "\n"


def found_by_trial(stairs: Stairs, state: State, images: int) -> Findings:
    """Say what the trials found.

    Args:
        stairs: all tests.
        state: the policy at its end.
        images: number of held-out images in a test.

    Example:
        >>> stairs = Stairs({"rotate": 4, "horizontal_flip": 1})
        >>> stairs.judge("rotate", loss=0.02, error=0.01)
        >>> stairs.judge("horizontal_flip", loss=0.93, error=0.05)
        >>> state = {"rotate": {"p": 0.5, "width": 18.0, "cap": 180.0}, "horizontal_flip": {"p": 0.001}}
        >>> for sentence in found_by_trial(stairs, state, 40).sentences[:3]:
        ...     print(sentence)
        Turns up to 18 degrees are harmless here; mirror images are not harmless.
        Turns up to 18 degrees are harmless here (skill lost 2 % ± 1); wider ones were not tried.
        Mirror images are not harmless (skill lost 93 % ± 5).
    """
    limits = stairs.limits()
    caps = {name: values.get("cap", 1.0) for name, values in state.items()}
    how = [
        f"Tested on {images} held-out images: an operator is harmless if it takes at most {100 * TOLERANCE:.0f} % of "
        "the network's skill, the mean probability of the right class beyond that of a guess, after training with it. "
        "The number after ± is a standard error; what is within two of them from the limit is called probable."
    ]
    if stairs.skill is not None:
        how.append(f"The skill on unchanged images was {max(stairs.skill, 0):.2f} of 1 in the last test.")
    rows = [_row(limit, caps[limit.operator], state[limit.operator]["p"]) for limit in limits]
    columns = ["operator", "largest width passed", "skill lost", "smallest width failed", "skill lost", "used for"]
    sentences = [_summary(limits, caps), *(_sentence(limit, caps[limit.operator]) for limit in limits), *how]
    return Findings(sentences, columns, rows, limits)


def found_by_gradient(state: State) -> Findings:
    """Say what a policy uses whose widths and probabilities were learned with gradients.

    Example:
        >>> state = {"rotate": {"p": 0.35, "width": 174.0, "cap": 180.0}, "invert": {"p": 0.01}}
        >>> found_by_gradient(state).sentences[1:3]
        ['Turns up to 174 degrees, for 35 % of the images.', 'Negatives are hardly ever used (1 %).']
    """
    used = [_kind(name, values.get("width")) for name, values in state.items() if values["p"] >= RARE]
    sentences = [f"The policy uses {_joined(used)}." if used else "The policy changes hardly any image."]
    rows = []
    for name, values in state.items():
        share = f"{100 * values['p']:.0f} %"
        if values["p"] >= RARE:
            sentences.append(f"{_capital(_kind(name, values.get('width')))}, for {share} of the images.")
        else:
            doubt = ", so their width says nothing" if "width" in values else ""
            sentences.append(f"{_capital(_PHRASES[name][0])} are hardly ever used ({share}){doubt}.")
        rows.append([name, said_width(name, values["width"]) if "width" in values else "", share])
    sentences.append("Gradients fit these numbers; none was tested on its own, so they do not say what is harmless.")
    return Findings(sentences, ["operator", "largest width", "used for"], rows)


def said_width(operator: str, width: float) -> str:
    """Return a width of an operator, in its unit, with the name of the unit.

    Example:
        >>> said_width("rotate", 17.6), said_width("hue", 0.05), said_width("invert", 1.0)
        ('18 degrees', '18 degrees of the colour circle', '')
    """
    say = _PHRASES[operator][1]
    return "" if say is None else say(width)


def said_loss(trial: Trial) -> str:
    """Return the loss of a test in percent, with its standard error.

    Example:
        >>> said_loss(Trial(0.1, 0.023, 0.011))
        '2 % ± 1'
    """
    return f"{100 * trial.loss:.0f} % ± {100 * trial.error:.0f}"


def _kind(operator: str, width: float | None) -> str:
    """Return what an operator makes, up to a width in its unit."""
    noun, say = _PHRASES[operator]
    return noun if say is None or width is None else f"{noun} up to {say(width)}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _summary(limits: Sequence[Limit], caps: Mapping[str, float]) -> str:
    """Return one sentence: what is harmless, what probably is, and what is not at the smallest width."""
    groups: dict[str, list[str]] = {"are harmless here": [], "are probably harmless": [], "are not harmless": []}
    for limit in limits:
        if limit.passed is not None:
            verdict = "are harmless here" if limit.passed.certain else "are probably harmless"
            groups[verdict].append(_kind(limit.operator, limit.passed.width * caps[limit.operator]))
        elif _harms(limit):
            groups["are not harmless"].append(_PHRASES[limit.operator][0])
    parts = [f"{_joined(kinds)} {verdict}" for verdict, kinds in groups.items() if kinds]
    return f"{_capital('; '.join(parts))}." if parts else "No change was found to be harmless or harmful."


def _harms(limit: Limit) -> bool:
    return limit.failed is not None and (limit.given_up or limit.failed.certain)


def _sentence(limit: Limit, cap: float) -> str:
    if limit.passed is not None:
        return _of_harmless(limit, limit.passed, cap)
    noun, say = _PHRASES[limit.operator]
    if limit.failed is None:
        return f"{_capital(noun)} were not tried."
    reach = "" if say is None else f" up to {say(limit.failed.width * cap)}, the smallest tried,"
    lost = f"(skill lost {said_loss(limit.failed)})"
    if _harms(limit):
        return f"{_capital(noun)}{reach} are not harmless {lost}."
    return f"Whether {noun}{reach} are harmless is not clear {lost}."


def _of_harmless(limit: Limit, passed: Trial, cap: float) -> str:
    """Return the sentence about an operator of which a width has passed."""
    say = _PHRASES[limit.operator][1]
    kind = _capital(_kind(limit.operator, passed.width * cap))
    first = f"{kind} are {'' if passed.certain else 'probably '}harmless here (skill lost {said_loss(passed)})"
    if say is None:
        return f"{first}."
    if limit.failed is None:
        return f"{first}; {'this is the largest width' if limit.at_top else 'wider ones were not tried'}."
    verdict = "they are not" if _harms(limit) else "it is not clear"
    return f"{first}; up to {say(limit.failed.width * cap)} {verdict} ({said_loss(limit.failed)})."


def _row(limit: Limit, cap: float, probability: float) -> list[str]:
    """Return a row of the table; an operator without a width has passed or failed as a whole."""
    passed, failed = limit.passed, limit.failed
    width = _PHRASES[limit.operator][1] is not None
    beyond = "none: this is the largest" if limit.at_top and width else "" if limit.at_top else "not tried further"
    return [
        limit.operator,
        "none" if passed is None else said_width(limit.operator, passed.width * cap) or "yes",
        "" if passed is None else said_loss(passed),
        beyond if failed is None else said_width(limit.operator, failed.width * cap) or "yes",
        "" if failed is None else said_loss(failed),
        f"{100 * probability:.0f} % of the images",
    ]
