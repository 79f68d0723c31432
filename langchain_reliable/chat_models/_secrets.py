"""The secrets of a model's candidates, so that no text of ours repeats them.

A provider may echo a key that looks like nothing, or a part of it. What a failure says
is searched for the very values that the children hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote

from pydantic import BaseModel, SecretBytes, SecretStr

from langchain_reliable._text.redact import Secrets, redact_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from langchain_reliable.failures import Failure

_SECRET_NAME: Final = re.compile(
    r"(?i)(?:key|token|secret|password|passwd|credentials?|authorization|cookie)s?$"
)
_SCHEME: Final = re.compile(r"(?i)^(?:bearer|basic|token|key) +")
_IN_URL: Final = re.compile(
    r"://[^/\s@]*?:([^/\s@]+)@|[?&][\w-]*(?:key|token|sig)=([^&\s]+)"
)
_DEEPEST: Final = 8
_LONGEST: Final = 8192


def hiding_secrets(
    classifier: Callable[[Exception], Failure | None],
    candidates: Callable[[], Iterable[object]],
) -> Callable[[Exception], Failure | None]:
    """Return a classifier whose failures hold no secret of these candidates.

    They are looked up at the first failure: a model that never fails reads no keys.
    """
    known: list[Secrets] = []

    def classify(error: Exception) -> Failure | None:
        failure = classifier(error)
        if failure is None:
            return None
        if not known:
            known.append(secrets_of(*candidates()))
        secrets = known[0]
        summary = secrets.hide(redact_line(failure.summary))
        code = failure.code
        if code is not None and not (code.isprintable() and secrets.hide(code) == code):
            code = secrets.hide(redact_line(code))
        if summary == failure.summary and code == failure.code:
            return failure
        return replace(failure, summary=summary, code=code)

    return classify


def secrets_of(*holders: object) -> Secrets:
    """Return the secrets that chat models, candidates or bindings hold."""
    values = {value for holder in holders for value in _values(holder, "", 0)}
    return Secrets([*values, *map(quote, values)])


def key_variables(child: object) -> list[str]:
    """Return the environment variables that hold a child's keys.

    `lc_secrets` also lists settings that only contain some (`mcp_servers`).
    """
    secrets: Mapping[str, str] = getattr(child, "lc_secrets", {})
    return [str(one) for field, one in secrets.items() if _SECRET_NAME.search(field)]


def _values(value: Any, name: str, depth: int) -> Iterator[str]:
    """Yield the secrets in a value: secret types, and text that is named like one."""
    if isinstance(value, SecretStr):
        yield from _written(value.get_secret_value())
    elif isinstance(value, SecretBytes):
        yield from _written(value.get_secret_value().decode(errors="replace"))
    elif isinstance(value, str):
        yield from _in_text(value, name)
    elif depth < _DEEPEST:
        inside: Iterable[tuple[str, Any]] = ()
        match value:
            case BaseModel():
                inside = vars(value).items()
            case Mapping():
                inside = ((str(key), one) for key, one in value.items())
            case list() | tuple():
                inside = ((name, one) for one in value)
        for key, one in inside:
            yield from _values(one, key, depth + 1)


def _in_text(text: str, name: str) -> Iterator[str]:
    if len(text) > _LONGEST:
        return
    if _SECRET_NAME.search(name):
        yield from _written(text)
    elif "://" in text:
        for found in _IN_URL.finditer(text):
            yield from _written(unquote(found[1] or found[2]))


def _written(secret: str) -> Iterator[str]:
    yield _SCHEME.sub("", secret.strip())
