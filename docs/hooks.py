"""What mkdocs adds to the pages: the README as the first page, and every exported name with its picture."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import augment

ROOT = Path(__file__).parents[1]
README = {"index.md": "README.md", "index.zh.md": "README.zh-CN.md"}
LINK = r"(?<!!)\[([^\]]+)\]"


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return the Markdown of a page with everything that is added to it."""
    source = page.file.src_uri
    if source in README:
        markdown = _for_the_site((ROOT / README[source]).read_text())
    markdown = re.sub(r"^::: all (augment\.\S+)$", lambda found: _exported(found[1]), markdown, flags=re.MULTILINE)
    depth = source.count("/")
    outside = r"\.\./" * (depth + 1)  # files outside docs have no page
    markdown = re.sub(rf"{LINK}\({outside}([^)#]+)[^)]*\)", r"\1 (`\2`)", markdown)
    return _with_english_links(markdown, depth) if source.endswith(".zh.md") else markdown


def _for_the_site(readme: str) -> str:
    """Change links of a README, which start in the root: pages lie beside this one, and other files have no page."""
    readme = re.sub(r"\]\(docs/", "](", readme).replace(".zh.md)", ".md)")  # the site finds the translation
    readme = re.sub(rf"{LINK}\(README[^)]*\)", r"\1", readme)
    return re.sub(rf"{LINK}\((?!http|#|[\w/]+\.md)([^)]+)\)", r"\1 (`\2`)", readme)


def _with_english_links(markdown: str, depth: int) -> str:
    """Let links of a Chinese page to pictures, and to pages without a translation, lead to the English ones."""

    def link(found: re.Match[str]) -> str:
        text, page, anchor = found.groups()
        if (ROOT / "docs" / f"{page}.zh.md").exists():
            return found[0]
        return f'<a href="{"../" * (depth + 1)}{page}.html{anchor}">{text}</a>'

    up = "../" * (depth + 1)  # pictures lie beside the English pages only
    markdown = re.sub(r"!\[([^\]]*)\]\((pictures/[^)]+)\)", rf'<img alt="\1" src="{up}\2">', markdown)
    above = r"\.\./" * depth
    return re.sub(rf"{LINK}\({above}([\w/]+)\.md((?:#[^)]*)?)\)", link, markdown)


def _exported(package: str) -> str:
    """Return the documentation of every exported name of a package, with a picture of its range if there is one."""
    parts = []
    for name in augment.__all__:
        if getattr(getattr(augment, name), "__module__", "").startswith(package):
            picture = Path("pictures") / "layers" / f"{name}.jpg"
            image = f"\n![{name} from low to high](../{picture})\n" if (ROOT / "docs" / picture).exists() else ""
            parts.append(f"::: augment.{name}\n{image}")
    return "\n".join(parts)
