"""The part of the page with the layers: their order, and the controls of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from augment.tools.errors import ToolError
from augment.tools.playground.controls import Control, controls, given
from augment.tools.playground.state import Config, built, changed, layers_of, moved, name_of, removed

_QUIET = {"show_progress": "hidden", "api_visibility": "private"}


def draw_panel(gr: Any, current: Config, config: Any, shape: Any, problem: Any) -> None:
    """Draw the layers of a pipeline with their controls.

    Args:
        gr: the module gradio.
        current: the pipeline.
        config, shape: states of the page that hold the pipeline, and a number that grows when layers come, go or move.
        problem: where the page says what is wrong.
    """
    if not layers_of(current):
        gr.Markdown("No layers yet: add one above.")
    for place, layer in enumerate(layers_of(current)):
        with gr.Accordion(f"{place + 1}. {name_of(layer)}", open=len(layers_of(current)) <= 4):
            found = controls(layer)
            for control in found:
                if _first(control):
                    _draw(gr, control, place, config, problem)
            if not all(map(_first, found)):
                with gr.Accordion("More arguments", open=False):
                    for control in found:
                        if not _first(control):
                            _draw(gr, control, place, config, problem)
            with gr.Row():
                for text, name, step in (
                    ("↑", "up", lambda now, at=place: moved(now, at, -1)),
                    ("↓", "down", lambda now, at=place: moved(now, at, 1)),
                    ("Remove", "remove", lambda now, at=place: removed(now, at)),
                ):
                    button = gr.Button(text, size="sm", min_width=40, elem_id=f"{name}-{place}")
                    button.click(_rearranging(step), [config, shape], [config, shape], **_QUIET)


def _first(control: Control) -> bool:
    """Return whether a control is seen at once."""
    return control.kind in ("range", "probability") or control.argument in ("layers", "size", "n", "m")


def _rearranging(step: Callable[[Config], Config]) -> Callable[[Config, int], tuple[Config, int]]:
    return lambda now, revision: (step(now), revision + 1)


def _draw(gr: Any, control: Control, place: int, config: Any, problem: Any) -> None:
    """Draw one control, which writes its argument into the pipeline."""
    name = control.argument.replace("_", " ")

    def set_to(current: Config, *values: Any) -> list[Any]:
        try:
            layer = layers_of(current)[place]
            new = changed(current, place, control.argument, given(layer, control, *values))
            built(new)
        except ToolError as error:
            return [gr.skip(), f"⚠ {error}"]
        return [new, ""]

    def on(event: Any, parts: list[Any]) -> None:
        event(set_to, [config, *parts], [config, problem], **_QUIET)

    if control.kind in ("range", "probability"):
        ends = control.value if control.kind == "range" else (control.value,)
        labels = (f"{name} from", f"{name} to") if len(ends) == 2 else (name,)
        with gr.Row():
            sliders = [
                gr.Slider(
                    *control.limits,
                    value=end,
                    step=control.step,
                    label=label,
                    min_width=130,
                    buttons=[],
                    interactive=True,
                )
                for end, label in zip(ends, labels, strict=True)
            ]
        for slider in sliders:
            slider.input(set_to, [config, *sliders], [config, problem], trigger_mode="always_last", **_QUIET)
    elif control.kind == "flag":
        flag = gr.Checkbox(control.value, label=name, interactive=True)
        on(flag.input, [flag])
    elif control.kind == "number":
        number = gr.Number(control.value, label=name, interactive=True)
        on(number.submit, [number])
        on(number.blur, [number])
    else:
        text = gr.Textbox(control.value, label=name, lines=1 + control.value.count("\n"), interactive=True)
        on(text.submit, [text])
        on(text.blur, [text])
