"""What a learned policy says in words, in a table and in a picture."""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import pytest

from augment.layers.policies.learned import GATES, OPERATORS
from lightning_modules.learning.limits_picture import HARMLESS, PROBABLY, TOO_MUCH, UNKNOWN, draw_limits, spans
from lightning_modules.learning.stairs import RUNGS, Stairs
from lightning_modules.learning.words import Findings, found_by_gradient, found_by_trial, said_width

Tests = list[tuple[float, float]]
ROTATE = {"p": 0.5, "width": 72.0, "cap": 180.0}


def found(operator: str, tests: Tests, state: dict[str, float]) -> Findings:
    stairs = Stairs({operator: len(RUNGS) if "cap" in state else 1})
    for loss, error in tests:
        stairs.judge(operator, loss, error)
    return found_by_trial(Stairs.restored(stairs.state_dict()), {operator: state}, images=40)


@pytest.mark.parametrize(
    ("tests", "sentence", "passed", "failed"),
    [
        ([], "Turns were not tried.", "none", "not tried further"),
        (
            [(0.02, 0.01)],
            "Turns up to 18 degrees are harmless here (skill lost 2 % ± 1); wider ones were not tried.",
            "18 degrees",
            "not tried further",
        ),
        (
            [(0.02, 0.01), (0.09, 0.04)],
            "Turns up to 36 degrees are probably harmless here (skill lost 9 % ± 4); wider ones were not tried.",
            "36 degrees",
            "not tried further",
        ),
        (
            [(0.02, 0.01), (0.35, 0.02)],
            "Turns up to 18 degrees are harmless here (skill lost 2 % ± 1); up to 36 degrees they are not (35 % ± 2).",
            "18 degrees",
            "36 degrees",
        ),
        (
            [(0.02, 0.01), (0.12, 0.05)],
            "Turns up to 18 degrees are harmless here (skill lost 2 % ± 1); "
            "up to 36 degrees it is not clear (12 % ± 5).",
            "18 degrees",
            "36 degrees",
        ),
        (
            [(0.02, 0.01), (0.12, 0.05), (0.01, 0.01)],  # failed at first, and passed when tried again
            "Turns up to 36 degrees are harmless here (skill lost 1 % ± 1); wider ones were not tried.",
            "36 degrees",
            "not tried further",
        ),
        (
            [(0.8, 0.05)],
            "Turns up to 18 degrees, the smallest tried, are not harmless (skill lost 80 % ± 5).",
            "none",
            "18 degrees",
        ),
        (
            [(0.15, 0.08)],
            "Whether turns up to 18 degrees, the smallest tried, are harmless is not clear (skill lost 15 % ± 8).",
            "none",
            "18 degrees",
        ),
        (
            [(0.0, 0.01)] * 4,
            "Turns up to 176 degrees are harmless here (skill lost 0 % ± 1); this is the largest width.",
            "176 degrees",
            "none: this is the largest",
        ),
    ],
)
def test_a_width_is_said_with_its_unit_and_confidence(tests: Tests, sentence: str, passed: str, failed: str) -> None:
    findings = found("rotate", tests, ROTATE)
    assert findings.sentences[1] == sentence
    (row,) = findings.rows
    assert (row[1], row[3], row[5]) == (passed, failed, "50 % of the images")
    assert f"- {sentence}\n" in findings.markdown()
    assert f"| {' | '.join(row)} |" in findings.markdown()


@pytest.mark.parametrize(
    ("tests", "sentence"),
    [
        ([(0.93, 0.05)], "Mirror images are not harmless (skill lost 93 % ± 5)."),
        ([(0.13, 0.05)], "Whether mirror images are harmless is not clear (skill lost 13 % ± 5)."),
        ([(-0.03, 0.02)], "Mirror images are harmless here (skill lost -3 % ± 2)."),
    ],
)
def test_an_operator_without_a_width_is_harmless_or_not(tests: Tests, sentence: str) -> None:
    assert found("horizontal_flip", tests, {"p": 0.5}).sentences[1] == sentence


def test_the_summary_names_what_is_harmless_and_what_is_not() -> None:
    stairs = Stairs({"rotate": 4, "hue": 4, "scale": 4, "horizontal_flip": 1})
    for operator, loss in (("rotate", 0.0), ("hue", 0.085), ("scale", 0.9), ("horizontal_flip", 0.9)):
        stairs.judge(operator, loss, 0.01)
    caps = {"rotate": 180.0, "hue": 0.5, "scale": math.log(2)}
    state = {name: {"p": 0.5, "width": 0.1 * cap, "cap": cap} for name, cap in caps.items()}
    state["horizontal_flip"] = {"p": 0.001}
    stairs.skill = 0.625
    sentences = found_by_trial(stairs, state, images=40).sentences
    assert sentences[0] == (
        "Turns up to 18 degrees are harmless here; changes of hue up to 18 degrees of the colour circle are probably "
        "harmless; changes of size and mirror images are not harmless."
    )
    assert sentences[-1] == "The skill on unchanged images was 0.62 of 1 in the last test."
    assert "Tested on 40 held-out images" in sentences[-2]
    assert found("rotate", [(0.15, 0.08)], ROTATE).sentences[0] == "No change was found to be harmless or harmful."


def test_a_policy_of_gradients_does_not_claim_harmlessness() -> None:
    state = {"rotate": {"p": 0.35, "width": 174.0, "cap": 180.0}, "shear_x": {"p": 0.01, "width": 44.0, "cap": 45.0}}
    first, *others = found_by_gradient(state).sentences
    assert first == "The policy uses turns up to 174 degrees."
    assert others[1] == "Slants to the side are hardly ever used (1 %), so their width says nothing."
    assert "do not say what is harmless" in others[-1]
    assert found_by_gradient({"invert": {"p": 0.01}}).sentences[0] == "The policy changes hardly any image."


def test_every_operator_has_words() -> None:
    for operator in (*OPERATORS, *GATES):
        state = {"p": 0.5} | ({"width": 0.1, "cap": OPERATORS[operator][0]} if operator in OPERATORS else {})
        assert found_by_gradient({operator: state}).sentences[1].endswith("for 50 % of the images.")
        assert bool(said_width(operator, 0.1)) == (operator in OPERATORS)


def test_the_picture_has_a_bar_for_every_operator() -> None:
    assert spans(found("rotate", [(0.0, 0.01), (0.9, 0.01)], ROTATE).limits[0]) == [
        (0.0, 0.1, HARMLESS),
        (0.1, 0.2, UNKNOWN),
        (0.2, 1.0, TOO_MUCH),
    ]
    assert spans(found("rotate", [(0.12, 0.05)], ROTATE).limits[0]) == [(0.0, 1.0, UNKNOWN)]
    assert spans(found("rotate", [(0.08, 0.05)], ROTATE).limits[0]) == [(0.0, 0.1, PROBABLY), (0.1, 1.0, UNKNOWN)]
    assert spans(found("rotate", [(0.0, 0.01)] * 4, ROTATE).limits[0]) == [(0.0, 1.0, HARMLESS)]
    assert spans(found("horizontal_flip", [(0.9, 0.01)], {"p": 0.001}).limits[0]) == [(0.0, 1.0, TOO_MUCH)]
    assert spans(found("horizontal_flip", [(0.12, 0.05)], {"p": 0.001}).limits[0]) == [(0.0, 1.0, UNKNOWN)]
    figure = draw_limits(found("rotate", [(0.0, 0.01), (0.9, 0.01)], ROTATE).limits, {"rotate": ROTATE})
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["rotate"]
    assert [text.get_text() for text in axes.texts] == ["passed 18 degrees (0 % ± 1); failed 36 degrees (90 % ± 1)"]
    plt.close(figure)
