"""The examples and commands in the documents run, and their links lead to existing files."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser

import augment as A
from augment.__main__ import parser_for
from lightning_modules.launching.settings import check_settings, switched_off

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("README*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
OPTIONAL = ("accelerate", "transformers")
"""Packages that examples need and the tests do not install."""


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def guides(page: Path) -> bool:
    """Return whether the examples of a page build on each other."""
    return page.parent.name == "guides"


def programs(page: Path) -> list[str]:
    """Return the examples of a page as programs; of a guide, one that ends before the first missing package."""
    parts = blocks(page, "python")
    if not guides(page) or not parts:
        return parts
    missing = [name for name in OPTIONAL if importlib.util.find_spec(name) is None]
    kept = [part for part in parts if not any(f"import {name}" in part for name in missing)]
    return ["\n".join(kept)]


EXAMPLES = [
    pytest.param(code, id=f"{name_of(page)}-{number}") for page in PAGES for number, code in enumerate(programs(page))
]
COMMANDS = sorted(
    {
        re.split(r"\s+#\s", line)[0]
        for page in PAGES
        for block in [*blocks(page, "sh"), *blocks(page, "bash")]
        for line in block.replace("\\\n", " ").splitlines()
    }
)


@pytest.mark.parametrize("code", EXAMPLES)
def test_python_examples_run(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "download=True" in code:
        pytest.skip("needs the network")
    if "import augment" not in code:
        code = "import torch\nimport augment as A\n" + code
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "example", "exec"), {"__name__": "example"})


@pytest.mark.parametrize("command", [line for line in COMMANDS if re.match(r"\S*python train\.py\b", line)])
def test_settings_of_commands_exist(command: str) -> None:
    words = shlex.split(command, comments=True)[2:]
    given = [word for word in words if not word.startswith("-") and not re.match(r"augment=.*\.yaml|replay=", word)]
    overrides = []
    for override in OverridesParser.create().parse_overrides(switched_off(given)):
        swept, value = override.is_sweep_override(), override.value()
        first = getattr(value, "start", None) if swept and not override.is_choice_sweep() else None
        if override.is_choice_sweep():
            first = next(iter(override.sweep_string_iterator()))
        overrides.append(f"{override.get_key_element()}={first}" if swept else override.input_line)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        check_settings(compose("train", overrides=[*overrides, "output_dir=run"]))


@pytest.mark.parametrize("command", [line for line in COMMANDS if line.startswith("python -m augment ")])
def test_options_of_tools_exist(command: str) -> None:
    given = shlex.split(command, comments=True)[3:]
    assert parser_for(given).parse_args(given).tool in given


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    built = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    pages = "".join(page.read_text() for page in (tmp_path / "reference").glob("*.html"))
    exported = {name: getattr(A, name) for name in A.__all__}
    places = [
        thing.__name__ if isinstance(thing, ModuleType) else f"augment.{name}" for name, thing in exported.items()
    ]
    assert not [place for place in places if f'id="{place}"' not in pages]
    assert "RandAugment" in (tmp_path / "zh" / "index.html").read_text()
    assert 'href="guides/own_loop.html"' in (tmp_path / "zh" / "index.html").read_text()
    pictures = [
        (page, src)
        for page in tmp_path.rglob("*.html")
        for src in re.findall(r'<img[^>]* src="([^"]+)"', page.read_text())
    ]
    assert not [
        (page, src) for page, src in pictures if not src.startswith("data:") and not (page.parent / src).exists()
    ]


def test_commands_of_the_readme_are_the_ones_of_ci() -> None:
    first, second = blocks(ROOT / "README.md", "bash")
    assert "train.py" in first
    assert "pytest" in second
    assert "-c constraints.txt" in first
    assert "-c constraints.txt" in second
