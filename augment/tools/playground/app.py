"""The page of the playground: Gradio's components, and which function each of them calls."""

from __future__ import annotations

import html
from typing import Any

from augment.tools.errors import ToolError
from augment.tools.playground.panel import draw_panel
from augment.tools.playground.pictures import explanations, grid, sample_of, samples_of
from augment.tools.playground.state import Config, added, layers_of, names, opened
from augment.tools.playground.texts import as_hydra, as_lightning, as_python
from augment.tools.preview.photographs import CREDIT, photographs
from augment.tools.recipe_file import PRESETS
from augment.tools.trainer_choices import choices

CSS = """.samples { display: flex; flex-wrap: wrap; gap: 10px; }
.samples figure { margin: 0; width: 130px; } .samples img { margin: 0; }
.samples figcaption { font-size: 12px; line-height: 1.3; padding-top: 3px; }
.problem { color: #b3261e; }
.slider_input_container { gap: 4px; } .slider_input_container input { min-width: 0; }
.min_value, .max_value { font-size: 11px; }
.head label span { font-size: 12px; white-space: nowrap; } .head input[type=number] { width: 64px !important; }"""

_SIDE = 130
"""Side of the tiles in pixels."""

_QUIET = {"trigger_mode": "always_last", "show_progress": "hidden", "api_visibility": "private"}


def build(gr: Any, start: Config, size: int) -> Any:
    """Return the page as `gradio.Blocks`.

    Args:
        gr: the module gradio.
        start: the pipeline at the beginning.
        size: side of the output of presets and of the trainer's files, in pixels.
    """
    with gr.Blocks(title="augment playground", analytics_enabled=False, fill_width=True) as page:
        config = gr.State(start)
        shape = gr.State(0)  # a new number draws the controls again; a slider that moves must not
        with gr.Row():
            with gr.Column(scale=2, min_width=340):
                _draw_choices(gr, page, config, shape, size)
            with gr.Column(scale=5, min_width=340):
                _draw_samples(gr, page, config, size)
                gr.Markdown(f"{CREDIT}.")
    return page


def _draw_choices(gr: Any, page: Any, config: Any, shape: Any, size: int) -> None:
    """Draw the left side: where to start from, layers to add, and the layers."""
    ready = gr.Dropdown(sorted({*PRESETS, *choices()}), value=None, label="Start from", elem_id="ready")
    file = gr.UploadButton(
        "or from a YAML file, such as a learned policy", file_types=[".yaml", ".yml"], size="sm", elem_id="file"
    )
    layer = gr.Dropdown(names(), value=None, label="Add a layer", elem_id="add")
    problem = gr.Markdown(elem_classes="problem", elem_id="problem")

    @gr.render(inputs=config, triggers=[page.load, shape.change])
    def panel(current: Config) -> None:
        draw_panel(gr, current, config, shape, problem)

    def start_from(text: str | None, revision: int) -> list[Any]:
        if not text:
            return [gr.skip()] * 3
        try:
            return [opened(text, size), revision + 1, ""]
        except ToolError as error:
            return [gr.skip(), gr.skip(), _warning(error)]

    def add(current: Config, name: str | None, revision: int) -> list[Any]:
        return [added(current, name), revision + 1, None] if name else [gr.skip()] * 3

    for chosen in (ready.input, file.upload):
        which = ready if chosen == ready.input else file
        chosen(start_from, [which, shape], [config, shape, problem], **_QUIET)
    layer.input(add, [config, layer, shape], [config, shape, layer], **_QUIET)


def _draw_samples(gr: Any, page: Any, config: Any, size: int) -> None:
    """Draw the right side: the image, the samples beside those of another pipeline, and the pipeline as text."""
    with gr.Row():
        image = gr.Image(
            photographs(320)[0].image.permute(1, 2, 0).numpy(),
            type="filepath",
            format="png",
            sources=["upload", "clipboard"],
            label="Image",
            elem_id="image",
            height=190,
        )
        with gr.Column(min_width=260):
            count = gr.Slider(1, 24, value=10, step=1, label="Samples", elem_id="count")
            epoch = gr.Number(0, label="First epoch", precision=0, minimum=0, maximum=10**6)
        compared = gr.Textbox(
            label="Compare with", placeholder="randaugment, or RandomRotation(30), RandomEqualize()", elem_id="compared"
        )
    with gr.Row():
        with gr.Column(min_width=320):
            pictures = gr.HTML(elem_id="samples")
        with gr.Column(min_width=320, visible=False) as beside:
            others = gr.HTML(elem_id="others")
    codes = []
    with gr.Tabs():
        for name, language in (("Python", "python"), ("Hydra YAML", "yaml"), ("Lightning CLI YAML", "yaml")):
            with gr.Tab(name):
                codes.append(gr.Code(language=language, elem_id=name.split()[0].lower(), show_line_numbers=False))
        with gr.Tab("Explanation"):
            told = gr.JSON(show_label=False, elem_id="told")

    def show(current: Config, path: str | None, number: float, first: float) -> list[Any]:
        texts = [_or_problem(text_of, current) for text_of in (as_python, as_hydra, as_lightning)]
        try:
            sample = sample_of(path)
            tiles = samples_of(current, sample, int(number), int(first or 0), _SIDE)
            said = explanations(current, sample, int(number), int(first or 0)) if layers_of(current) else []
        except ToolError as error:
            return [_warning_box(error), [], *texts]
        return [grid(tiles), said, *texts]

    def compare(text: str, path: str | None, number: float, first: float) -> list[Any]:
        if not text.strip():
            return [gr.Column(visible=False), ""]
        try:
            tiles = samples_of(opened(text.strip(), size), sample_of(path), int(number), int(first or 0), _SIDE)
        except ToolError as error:
            return [gr.Column(visible=True), _warning_box(error)]
        return [gr.Column(visible=True), grid(tiles)]

    shared = [image, count, epoch]
    events = [part.change for part in shared]
    gr.on([page.load, config.change, *events], show, [config, *shared], [pictures, told, *codes], **_QUIET)
    gr.on([compared.submit, compared.blur, *events], compare, [compared, *shared], [beside, others], **_QUIET)


def _or_problem(text_of: Any, config: Config) -> str:
    """Return the pipeline as text, or as a comment why it cannot be written so."""
    try:
        return text_of(config)
    except ToolError as error:
        return f"# {error}"


def _warning(error: ToolError) -> str:
    return f"⚠ {error}"


def _warning_box(error: ToolError) -> str:
    return f'<div class="problem">⚠ {html.escape(str(error))}</div>'
