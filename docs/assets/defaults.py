"""An extension of the site's reference: a field shows its type and its default.

`max_retries: int = 2` says more than `max_retries: int = Field(default=2, ge=0)`; what
it may be stands in its text. What is said to pydantic about a type is left out as well.
"""

from __future__ import annotations

from typing import Any

import griffe

_AROUND = {"Annotated", "InstanceOf", "SkipValidation"}
_EMPTY = {"dict": "{}", "list": "[]", "tuple": "()"}


class Defaults(griffe.Extension):
    """Replaces the call of `Field` or `field` by the default that it gives."""

    def on_attribute_instance(self, *, attr: griffe.Attribute, **_: Any) -> None:
        """Look at an attribute that was found."""
        attr.annotation = _plain(attr.annotation)
        made = attr.value
        if not isinstance(made, griffe.ExprCall):
            return
        if str(made.function) not in ("Field", "field"):
            return
        given = {
            one.name: one.value
            for one in made.arguments
            if isinstance(one, griffe.ExprKeyword)
        }
        factory = str(given.get("default_factory", ""))
        made_by = _EMPTY.get(factory, f"{factory}()") if factory else None
        attr.value = given.get("default", made_by)


def _plain(type_: str | griffe.Expr | None) -> str | griffe.Expr | None:
    """Return the type without what only pydantic reads."""
    while isinstance(type_, griffe.ExprSubscript) and str(type_.left) in _AROUND:
        inside = type_.slice
        type_ = inside.elements[0] if isinstance(inside, griffe.ExprTuple) else inside
    return type_
