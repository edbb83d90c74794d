"""The command `python -m augment playground`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import Any

from augment.tools.arguments import positive
from augment.tools.errors import required
from augment.tools.installation import warn_if_slow
from augment.tools.playground.state import opened


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pipeline",
        default="RandomRotation(30, p=1.0), ColorJitter(0.4, 0.4, 0.4, 0.1), RandomErasing(p=0.5)",
        help="to begin with: a preset, a choice of conf/augment, a YAML file, or layers as in Python (%(default)s)",
    )
    parser.add_argument("--size", type=positive, default=224, help="side of the output of presets (%(default)s)")
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 lets others in (%(default)s)"
    )
    parser.add_argument("--port", type=positive, default=7860, help="port to listen on (%(default)s)")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")


def run(arguments: argparse.Namespace, given: Sequence[str]) -> None:
    page, options = prepared(arguments)
    page.launch(**options)


def prepared(arguments: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    """Return the page, and the options of its `launch`.

    Raises:
        ToolError: Gradio is not installed, or there is no such pipeline.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # Gradio reads it when it is imported
    gr: Any = required("gradio", "gradio", "the playground", extra="playground")
    from augment.tools.playground.app import CSS, build

    warn_if_slow("cpu")
    page = build(gr, opened(arguments.pipeline, arguments.size), arguments.size)
    fonts = ["system-ui", "sans-serif"], ["ui-monospace", "monospace"]  # those of Gradio's themes come from a server
    return page, {
        "server_name": arguments.host,
        "server_port": arguments.port,
        "share": False,
        "ssr_mode": False,
        "inbrowser": arguments.open,
        "css": CSS,
        "theme": gr.themes.Default(font=fonts[0], font_mono=fonts[1]),
        "footer_links": [],
        "mcp_server": False,
        "enable_monitoring": False,
        "run_history": False,
    }
