"""A hook of the site: what lies outside docs/ is named, not linked.

On disk, links such as `../benchmarks/floor.py` lead somewhere; on the site they would
not.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"\[([^\]]+)\]\(([^)#:]+)(#[^)]*)?\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn links out of docs/ into their text."""
    here = (ROOT / "docs" / page.file.src_path).parent

    def kept(link: re.Match[str]) -> str:
        target = (here / link[2]).resolve()
        inside = target.is_relative_to(ROOT / "docs")
        return link[0] if inside or not target.exists() else link[1]

    return _LINK.sub(kept, markdown)
