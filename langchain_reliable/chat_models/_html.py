"""A model as a notebook shows it: whom it asks, in order, and how they are.

Nothing is asked and no copy is made for it, and a key is never in it.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from langchain_reliable._children.prepare import bare_model
from langchain_reliable._text.tables import LEFT, NARROW, html_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_reliable._core.steps import Route
    from langchain_reliable._core.timeouts import Timeouts
    from langchain_reliable.chat_models._langchain import LangChainInterface
    from langchain_reliable.health import CandidateHealth

_HEAD = ("", "candidate", "class", "retries", "first chunk", "idle", "attempt")
_HEALTH = ("health", "last failure")
_LAST_NARROW = 7


def shown(model: LangChainInterface) -> str:
    """Return a table of a model's candidates for a notebook."""
    rows: list[tuple[str, ...]] = [
        (str(number) if place == 0 else "", *_cells(bare_model(route.candidate), route))
        for number, tier in enumerate(model._router.plan().tiers, 1)
        for place, route in enumerate(tier.routes)
    ]
    known = {one.name: one for one in model.health.snapshot()}
    head = _HEAD + (_HEALTH if known else ())
    body = []
    for cells in rows:
        line = (*cells, *(_health(known.get(cells[1])) if known else ()))
        body.append(
            [
                (one, LEFT if at > _LAST_NARROW else NARROW)
                for at, one in enumerate(line)
            ]
        )
    title = html.escape(f"{type(model).__name__}: {_counted(len(rows))}, in this order")
    return f"<div>{title}</div>{html_table(body, head)}"


def _cells(child: object, route: Route) -> tuple[str, ...]:
    return (
        route.name,
        type(child).__name__,
        str(route.max_retries),
        *_limits(route.timeouts),
    )


def _limits(limits: Timeouts) -> Iterator[str]:
    for limit in (limits.first_chunk, limits.idle, limits.attempt):
        yield "no limit" if limit is None else f"{limit:g} s"


def _health(known: CandidateHealth | None) -> tuple[str, str]:
    if known is None:
        return "", ""
    well = "well" if known.state == "closed" else known.state
    back = f", back in {known.seconds:.0f} s" if known.seconds else ""
    return well + back, known.last_failure


def _counted(number: int) -> str:
    return "1 candidate" if number == 1 else f"{number} candidates"
