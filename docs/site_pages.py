"""Adds README, CHANGELOG and CONTRIBUTING to the documentation site, which otherwise holds only docs/."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages, with links that are relative to docs/."""
    root = Path(config.config_file_path).parent
    for source, page in PAGES.items():
        text = (root / source).read_text(encoding="utf-8")
        content = _with_links_from_docs(text, config.extra["repository"])
        files.append(File.generated(config, page, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Give the wide table of settings the room of the table of contents."""
    if page.file.src_uri == "settings.md":
        page.meta["hide"] = ["toc"]
    return markdown


def _with_links_from_docs(text: str, repository: str) -> str:
    for source, page in PAGES.items():
        text = text.replace(f"]({source})", f"]({page})")
    text = text.replace("](LICENSE)", f"]({repository}/blob/main/LICENSE)")
    return re.sub(r"\]\(docs/", "](", text)
