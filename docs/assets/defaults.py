"""An extension of the site's reference: a field shows its default, not how it is made.

`max_retries: int = 2` says more than `max_retries: int = Field(default=2, ge=0)`; what
it may be stands in its text.
"""

from __future__ import annotations

from typing import Any

import griffe

_EMPTY = {"dict": "{}", "list": "[]", "tuple": "()"}


class Defaults(griffe.Extension):
    """Replaces the call of `Field` or `field` by the default that it gives."""

    def on_attribute_instance(self, *, attr: griffe.Attribute, **_: Any) -> None:
        """Look at an attribute that was found."""
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
