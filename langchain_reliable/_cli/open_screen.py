"""Where the screens are opened."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from langchain_reliable._cli.extras import need
from langchain_reliable._cli.screen_plain import PlainScreen

if TYPE_CHECKING:
    from langchain_reliable._cli.screen import Screen


def open_screen(*, plain: bool, aside: bool = False) -> Screen:
    """Return the screen that fits: in colors where they can be seen.

    Args:
        plain: Plain lines, whatever there is.
        aside: Whether plain lines are joined by signs of life on stderr, where a file
            or a pipe doesn't get them.

    Raises:
        NotReady: Colors could be seen, but `rich` is not installed.
    """
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    dull = os.environ.get("NO_COLOR") or os.environ.get("TERM") in ("dumb", "unknown")
    can_draw = sys.stdout.isatty() and not dull and encoding.startswith("utf")
    if plain or not can_draw:
        return PlainScreen(sys.stdout, sys.stderr if aside else None)
    need("rich")
    from langchain_reliable._cli.screen_rich import RichScreen  # noqa: PLC0415 - an extra

    return RichScreen()
