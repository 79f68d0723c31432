"""The profile that several models have in common: what all of them can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langchain_core.language_models import ModelProfile

    from langchain_reliable.candidates import Candidate


def common_profile(
    members: Iterable[tuple[Candidate, object]],
) -> ModelProfile | None:
    """Return what all models are known to be able to do; `None` if nothing is known.

    A number is the smallest that is known, a capability counts only if every model is
    known to have it, and anything else only if all say the same.

    Args:
        members: Each candidate and its model.
    """
    profiles: list[dict[str, Any]] = []
    for candidate, model in members:
        own = dict(getattr(model, "profile", None) or {})
        if candidate.context_window is not None:
            own["max_input_tokens"] = candidate.context_window
        profiles.append(own)
    if not any(profiles):
        return None
    names = dict.fromkeys(name for profile in profiles for name in profile)
    common = {
        name: _common([profile.get(name) for profile in profiles]) for name in names
    }
    known = {name: value for name, value in common.items() if value is not None}
    return cast("ModelProfile", known)


def _common(values: list[Any]) -> Any:
    known = [value for value in values if value is not None]
    if any(isinstance(value, bool) for value in known):
        if not all(known):
            return False
        return True if len(known) == len(values) else None
    if all(isinstance(value, int) for value in known):
        return min(known)
    return values[0] if all(value == values[0] for value in values) else None
