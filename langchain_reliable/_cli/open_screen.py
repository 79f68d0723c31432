"""Where the screens are opened."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

from langchain_reliable._cli.extras import need
from langchain_reliable._cli.screen_plain import PlainScreen

if TYPE_CHECKING:
    from langchain_reliable._cli.screen import Screen


def open_screen(*, plain: bool) -> Screen:
    """Return the screen that fits: in colors where they can be seen.

    Args:
        plain: Plain lines, whatever there is.

    Raises:
        NotReady: Colors could be seen, but `rich` is not installed.
    """
    if plain or not _can_draw(sys.stdout):
        return PlainScreen(sys.stdout)
    need("rich")
    from langchain_reliable._cli.screen_rich import RichScreen  # noqa: PLC0415 - an extra

    return RichScreen()


def _can_draw(stream: TextIO) -> bool:
    encoding = (stream.encoding or "").lower().replace("-", "")
    dull = os.environ.get("NO_COLOR") or os.environ.get("TERM") in ("dumb", "unknown")
    return stream.isatty() and not dull and encoding.startswith("utf")
