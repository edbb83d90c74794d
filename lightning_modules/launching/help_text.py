"""The text of train.py --help: all choices, and all settings with the comments of conf/.

Nothing here imports torch or Lightning, which would take seconds.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

Comments = dict[str, str]
"""Full key of a setting -> its comment."""

_KEY = re.compile(r"( *)([\w/]+):")
_FILES = re.compile(r"replay=|augment=.*\.yaml'?$")
"""Overrides that train.py replaces before Hydra reads them."""

_GLOBAL = "# @package _global_"
_WIDTH, _COLUMN = 120, 46
_BUILDING = ("_target_", "_convert_", "_partial_", "_args_", "_recursive_")
"""Keys for Hydra, which the help leaves out."""


def asked(given: Sequence[str]) -> bool:
    """Return whether the command line asks for help; not for --hydra-help, which Hydra answers."""
    return "--help" in given or "-h" in given


def show_help(folder: Path, given: Sequence[str]) -> int:
    """Print the help for the choices on the command line, and return the exit code.

    Args:
        folder: conf/.
        given: the command line, of which overrides and --config-dir matter.

    Example: `show_help(Path("conf"), ["data=folder", "--help"])` describes the settings of `data=folder`.
    """
    read: Any = get_args(list(given))
    overrides = [word for word in read.overrides if not _FILES.match(word)]
    if read.config_dir:
        overrides.append(f"hydra.searchpath=['file://{Path(read.config_dir).resolve()}']")
    try:
        with initialize_config_dir(str(folder), version_base="1.3"):
            cfg = compose("train", overrides, return_hydra_config=True)
    except (HydraException, OmegaConfBaseException) as error:
        from lightning_modules.errors import USER_ERROR_EXIT, sentence

        print(f"error: {sentence(error) or error}", file=sys.stderr)
        return USER_ERROR_EXIT
    print(help_text(folder, cfg))
    return 0


def help_text(folder: Path, cfg: DictConfig) -> str:
    """Return the help for a configuration that was composed with the node `hydra`."""
    lines = [cfg.hydra.help.header.rstrip(), "", "Choices (group=option):", ""]
    for group in sorted(path for path in folder.iterdir() if path.is_dir() and path.name not in ("cli", "hydra")):
        options = ", ".join(sorted(path.stem for path in group.glob("*.yaml")))
        lines += textwrap.wrap(f"{group.name}: {options}", _WIDTH, initial_indent="  ", subsequent_indent="    ")
    lines += ["", "Settings (key=value; --cfg job --resolve shows their values):", ""]
    comments = comments_of(folder / "train.yaml", "")
    # Hydra does not record choices of several files
    lists = dict(given.split("=", 1) for given in cfg.hydra.overrides.task if "=[" in given)
    for group, option in {**cfg.hydra.runtime.choices, **lists}.items():
        for name in re.findall(r"[\w-]+", str(option)):
            comments |= comments_of(folder / group / f"{name}.yaml", group)
    settings = {name: cfg._get_node(name) for name in cfg if name != "hydra"}
    return "\n".join([*lines, *_described(settings, comments, "")])


def comments_of(file: Path, package: str) -> Comments:
    """Return the comments of a file of conf/, and of the files that its defaults name.

    A comment stands behind a key, or in lines of its own above it. A file that does not exist has none.

    Example: `comments_of(Path("conf/optimizer/sgd.yaml"), "optimizer")["optimizer.lr"]`.
    """
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    package = "" if text.startswith(_GLOBAL) else package
    found: Comments = {}
    for base in (yaml.safe_load(text) or {}).get("defaults", []):
        if isinstance(base, str) and base != "_self_" and package:
            found |= comments_of(file.with_name(f"{base}.yaml"), package)
    above: list[str] = []
    parents: list[tuple[int, str]] = []
    header = True  # the lines at the top describe the file
    for line in text.splitlines():
        if line.lstrip().startswith("# "):
            above.append(line.strip().removeprefix("# "))
        elif key := _KEY.match(line):
            depth = len(key[1])
            parents = [*(p for p in parents if p[0] < depth), (depth, key[2])]
            place = ".".join(filter(None, [package, *(name for _, name in parents)]))
            said = [*([] if header else above), line.partition(" # ")[2]]
            if any(said):
                found[place] = " ".join(said).strip()
            above, header = [], False
        else:
            above, header = [], header and not above
    return found


def _described(node: Any, comments: Comments, above: str) -> Iterator[str]:
    """Yield a line for every setting below a node, with its comment."""
    indent = "  " * above.count(".")
    for name in node:
        if name in _BUILDING:
            continue
        child: Any = node[name] if isinstance(node, dict) else node._get_node(name)
        comment = comments.get(f"{above}{name}", "")
        if OmegaConf.is_dict(child) and not child._is_interpolation() and child:
            yield from _with_comment(f"{indent}{name}:", comment)
            yield from _described(child, comments, f"{above}{name}.")
        else:
            yield from _with_comment(f"{indent}{name}: {_value(child)}", comment)


def _value(node: Any) -> str:
    """Return a setting as YAML in one line, with references as they are written."""
    value = OmegaConf.to_container(node, resolve=False) if OmegaConf.is_config(node) else node._value()
    if isinstance(value, (dict, list)):
        return yaml.safe_dump(value, default_flow_style=True, width=10**6, sort_keys=False).strip()
    return yaml.safe_dump(value, width=10**6).removesuffix("...\n").strip()


def _with_comment(line: str, comment: str) -> list[str]:
    """Return a line and its comment, which begins below the line if that is long."""
    said = [f"# {part}" for part in textwrap.wrap(comment, _WIDTH - _COLUMN - 2)]
    beside = said.pop(0) if said and len(line) < _COLUMN else ""
    return [f"{line:<{_COLUMN}}{beside}".rstrip() if beside else line, *(f"{'':<{_COLUMN}}{part}" for part in said)]
