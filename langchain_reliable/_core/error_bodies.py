"""What an exception holds on to, cut down once it can no longer leave the call.

A provider, or a proxy before it, may answer an error with a body of megabytes; SDKs
keep it as text, as JSON and as bytes. Each attempt of a call keeps its exception, so a
call would hold as many of them as it made attempts.
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGE: Final = 65_536
_KEPT: Final = 4_096
_DEEPEST: Final = 8


def shorten(error: BaseException) -> None:
    """Cut texts of more than 64 KiB in an exception and in those behind it.

    One without such a text is not touched. Where one was cut, the frames of the
    traceback let go of their variables, which held it too.
    """
    for link in _chain(error):
        args = _cut(link.args, 0)
        changed = args is not link.args
        if changed:
            link.args = args
        for name, value in [*vars(link).items()]:
            if (short := _cut(value, 0)) is not value:
                vars(link)[name] = short
                changed = True
            elif name in {"response", "request"}:
                changed |= _cut_message(value)
        if changed:
            traceback.clear_frames(link.__traceback__)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        waiting += [link.__cause__, link.__context__]
        if isinstance(link, BaseExceptionGroup):
            waiting += link.exceptions


def _cut(value: Any, depth: int) -> Any:
    """Return a value with its large texts cut; the value itself if it has none."""
    if isinstance(value, (str, bytes)):
        return value if len(value) <= _LARGE else value[:_KEPT]
    if depth >= _DEEPEST:
        return value
    if isinstance(value, dict):
        cut = {key: _cut(one, depth + 1) for key, one in value.items()}
        return cut if any(cut[key] is not value[key] for key in value) else value
    if type(value) in (list, tuple):
        cuts = [_cut(one, depth + 1) for one in value]
        same = all(one is other for one, other in zip(cuts, value, strict=True))
        return value if same else type(value)(cuts)
    return value


def _cut_message(message: Any) -> bool:
    """Cut the body of a request or a response (of httpx or requests)."""
    held = getattr(message, "__dict__", {})
    large = [name for name, value in held.items() if _cut(value, 0) is not value]
    for name in large:
        held[name] = _cut(held[name], 0)
    below = held.get("_request", held.get("request"))
    return bool(large) | (below is not None and _cut_message(below))
