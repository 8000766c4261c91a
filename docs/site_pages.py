"""Adds README, CHANGELOG and CONTRIBUTING to the documentation site, which otherwise holds only docs/."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages, with their links as they are from within docs/."""
    root = Path(config.config_file_path).parent
    for source, page in PAGES.items():
        text = (root / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=_moved(text, config.repo_url)))
        # Without this the page would have a link to edit a file that is not there.
        files.get_file_from_path(page).edit_uri = f"../{source}"
    return files


def _moved(text: str, repository: str | None) -> str:
    """Rewrite the links of a page of the root for a page of docs/."""
    for source, page in PAGES.items():
        text = text.replace(f"]({source})", f"]({page})")
    text = text.replace("](LICENSE)", f"]({repository}/blob/main/LICENSE)")
    return re.sub(r"\]\(docs/", "](", text)
