"""Settings that cannot work as they are written, and what only drivers know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from langchain_reliable._children.prepare import bare_model
from langchain_reliable._text.redact import plain_name
from langchain_reliable.candidates import why_keyless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_reliable._core.steps import Plan, Route
    from langchain_reliable.chat_models.settings import ModelSettings

_CLIENT_TIMEOUTS: Final = ("request_timeout", "default_request_timeout", "timeout")


def warnings_on(model: ModelSettings, plan: Plan) -> tuple[str, ...]:
    """Return what about a model's settings cannot work."""
    return (
        *_too_short(model),
        *_one_and_the_same(plan),
        *(said for route in plan.routes for said in _of_client(route)),
    )


def _too_short(model: ModelSettings) -> Iterator[str]:
    for outer in ("total_timeout", "attempt_timeout"):
        whole = getattr(model, outer)
        for inner in ("first_chunk_timeout", "answer_timeout"):
            part = getattr(model, inner)
            if whole is None or not isinstance(part, float) or whole > part:
                continue
            yield (
                f"{outer}={whole:g} ends before {inner}={part:g} could: it never counts"
            )


def _one_and_the_same(plan: Plan) -> Iterator[str]:
    seen: dict[Any, str] = {}
    for route in plan.routes:
        if route.key is None or route.round:
            continue
        other = seen.setdefault(route.key, route.name)
        if other != route.name:
            yield (
                f"{plain_name(other)} and {plain_name(route.name)} are one and the "
                "same: when one is out, so is the other"
            )


def _of_client(route: Route) -> Iterator[str]:
    child, name = bare_model(route.candidate), plain_name(route.name)
    if why := why_keyless(child):
        yield f"{name}: there is no key for it: {why}"
    spans = [getattr(child, field, None) for field in _CLIENT_TIMEOUTS]
    own = next((one for one in spans if isinstance(one, (int, float))), None)
    if own is None:
        return
    limits = {
        "first_chunk_timeout": route.timeouts.first_chunk,
        "idle_timeout": route.timeouts.idle,
    }
    for field, span in limits.items():
        if span is not None and own < span:
            yield (
                f"{name}: its client gives up after timeout={own:g}, before "
                f"{field}={span:g} could"
            )
            return


def notes_on(model: ModelSettings, plan: Plan, *, streams: bool) -> tuple[str, ...]:
    """Return what is true beside the rows."""
    notes = []
    if len(plan.routes) == 1:
        notes.append("There is one candidate: nobody can answer in its place.")
    notes += notes_on_hedging(plan, streams=streams)
    if not streams and model.answer_timeout == "auto":
        notes.append(
            "Silence: in sync a client gives a socket up by itself, up to a fifth "
            "later than told here; a client of its own time-out may do so sooner."
        )
    return tuple(notes)


def notes_on_hedging(plan: Plan, *, streams: bool) -> Iterator[str]:
    """Say when another candidate is asked beside a silent one, and how often."""
    first = plan.routes[0]
    if (rule := first.hedge) is None or len(plan.routes) == 1:
        return
    after = rule.stream if streams else rule.whole
    if after is None and not rule.measured:
        return
    when = (
        "what nineteen in twenty of its answers take to begin (not before twenty)"
        if after is None
        else f"{after:g} s"
    )
    yield (
        f"Hedging: where {plain_name(first.name)} says nothing for {when}, the next "
        "one is asked as well, and who begins first answers. Ten extra requests at "
        f"once, then {rule.share:.3g} for each call; when none is left, silence is as "
        "it is without hedging."
    )
