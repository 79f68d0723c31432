"""The docstring of a field as its description: in schemas, and in `help()`.

Python throws the strings below attributes away when it compiles, so they are read from
the source. That takes milliseconds, which nobody should pay at import: it is done once
somebody asks for a class's fields or documentation.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import re
import sys
import textwrap
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel
from pydantic.fields import FieldInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

_FIELDS = BaseModel.__dict__["model_fields"]
_GIVEN = FieldInfo.__dict__["description"]
_MARK = "_docs_of_fields"


class _DescribedField(FieldInfo):  # type: ignore[misc] # it is final in name only
    """A field that looks its description up when it is asked for it."""

    __slots__ = ("named", "owner")
    named: str
    owner: type[BaseModel]

    @classmethod
    def made_of(cls, info: FieldInfo, owner: type[BaseModel], name: str) -> Self:
        """Return a field that is the same but for this."""
        one = cls.__new__(cls)
        for slot in filter(partial(hasattr, info), FieldInfo.__slots__):
            setattr(one, slot, getattr(info, slot))
        one.owner, one.named = owner, name
        return one

    @property
    def description(self) -> str | None:
        given: str | None = _GIVEN.__get__(self)
        return given or _docs_of(self.owner).get(self.named)

    @description.setter
    def description(self, text: str | None) -> None:
        _GIVEN.__set__(self, text)


class _DescribedFields:
    """`model_fields`, each with its description: LangChain asks it in every call."""

    def __get__(self, model: Any, owner: type[BaseModel]) -> dict[str, FieldInfo]:
        fields: dict[str, FieldInfo] = _FIELDS.__get__(model, owner)
        if owner.__pydantic_complete__ and _MARK not in owner.__dict__:
            for name, info in fields.items():
                fields[name] = _DescribedField.made_of(info, owner, name)
            type.__setattr__(owner, _MARK, {})
        return fields


class _DocWithFields(str):
    """The docstring of a class, and below it those of its fields."""

    __slots__ = ("owner",)
    owner: type[BaseModel]

    def __get__(self, model: Any, owner: type[BaseModel]) -> str | None:
        # a subclass without words of its own has none
        return self.expandtabs() if owner is self.owner else None

    def expandtabs(self, tabsize: Any = 8) -> str:
        """Return all of it: `help()` takes the raw docstring, and begins with this."""
        own = inspect.cleandoc(str.expandtabs(self, tabsize))
        return "\n".join((own, *_listed(self.owner)))


class DescribedFields:
    """Goes before a pydantic model whose fields carry docstrings."""

    if not TYPE_CHECKING:  # type checkers know pydantic's own
        model_fields = _DescribedFields()

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Let `help()` show the fields as well."""
        super().__pydantic_init_subclass__(**kwargs)  # type: ignore[misc]
        if isinstance(text := cls.__dict__.get("__doc__"), str):
            cls.__doc__ = doc = _DocWithFields(text)
            doc.owner = cls  # type: ignore[assignment]

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the JSON schema of a model, its properties described."""
        told = handler(schema)
        whole = handler.resolve_ref_schema(told)
        described: type[Any] = cls
        fields: dict[str, FieldInfo] = described.model_fields
        for name, info in fields.items():
            shown = whole.get("properties", {}).get(info.alias or name)
            if shown is not None and info.description:
                shown.setdefault("description", info.description)
        if isinstance(doc := cls.__dict__.get("__doc__"), _DocWithFields):
            whole["description"] = inspect.cleandoc(str(doc))
        return told


def _listed(owner: type[Any]) -> Iterator[str]:
    """Yield the lines that tell of the fields which carry a docstring."""
    docs = _docs_of(owner)
    if docs:
        yield "\nFields:"
    for name, text in docs.items():
        told = f"{name}: {' '.join(text.split())}"
        yield textwrap.fill(
            told, 88, initial_indent="    ", subsequent_indent="        "
        )


def _docs_of(owner: type[BaseModel]) -> dict[str, str]:
    """Return the docstrings of the fields of a class and of those it is made of."""
    docs: dict[str, str] = owner.__dict__.get(_MARK) or {}
    if not docs:
        for one in reversed(owner.__mro__):
            if issubclass(one, DescribedFields) and issubclass(one, BaseModel):
                # Docstrings below attributes stand in the source alone.
                module = sys.modules.get(one.__module__)
                lines = linecache.getlines(getattr(module, "__file__", None) or "")
                body = _parsed(lines, one.__name__)
                docs |= {
                    line.target.id: inspect.cleandoc(below.value.value)
                    for line, below in pairwise(body)
                    if isinstance(line, ast.AnnAssign)
                    and isinstance(line.target, ast.Name)
                    and isinstance(below, ast.Expr)
                    and isinstance(below.value, ast.Constant)
                    and isinstance(below.value.value, str)
                }
    return docs


def _parsed(lines: list[str], name: str) -> list[ast.stmt]:
    """Return the statements of a class at the top level of a file."""
    begins = re.compile(rf"class {name}\b")
    at = next((n for n, line in enumerate(lines) if begins.match(line)), None)
    if at is None:
        return []
    rest = enumerate(lines[at + 1 :], at + 1)
    end = next((n for n, line in rest if re.match(r"[^\s)#]", line)), len(lines))
    try:
        found = ast.parse("".join(lines[at:end])).body[0]
    except SyntaxError:  # the file has changed below the running program
        return []
    return found.body if isinstance(found, ast.ClassDef) else []
