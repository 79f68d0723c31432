"""What is said of each failure kind, in one table.

Errors, logs, `check()`, custom events and pictures take their words from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from langchain_reliable.failures import FailureKind as Kind

if TYPE_CHECKING:
    from collections.abc import Mapping


class KindWords(NamedTuple):
    """The words for one failure kind.

    Attributes:
        says: What went wrong, for a cell of a table: `rate limited`.
        phrase: The same as what follows a name in a sentence: `could not be reached`.
        checked: What a person can make of it when a check finds it.
        advice: What a person can do when a call fails of it; empty where it passes by
            itself.
    """

    says: str
    phrase: str
    checked: str
    advice: str = ""


_WORDS: Final[Mapping[Kind, KindWords]] = {
    Kind.RATE_LIMITED: KindWords(
        "rate limited",
        "takes no more requests for now",
        "it is limited just now; ask again a little later",
    ),
    Kind.QUOTA_EXHAUSTED: KindWords(
        "quota exhausted",
        "has used up its quota",
        "no money or plan left: look at the account's billing",
        "check plan and billing of this account",
    ),
    Kind.SERVER_ERROR: KindWords(
        "server error",
        "has trouble of its own",
        "the provider has trouble: nothing to mend here",
    ),
    Kind.TIMEOUT: KindWords(
        "timed out",
        "did not answer in time",
        "no answer in time: look at the way to it",
        "check the route to it, or allow it more time",
    ),
    Kind.CONNECTION: KindWords(
        "connection failed",
        "could not be reached",
        "no way to it: look at network, base URL and proxy",
        "check the network, the base URL and the proxy",
    ),
    Kind.BAD_STREAM: KindWords(
        "broken stream",
        "sent a broken answer",
        "it answers, but its stream can't be read to the end",
    ),
    Kind.EMPTY: KindWords(
        "empty answer",
        "gave an empty answer",
        "it answers, but says nothing",
    ),
    Kind.AUTH: KindWords(
        "not authorized",
        "did not accept the API key",
        "the key is missing, wrong or not allowed: look at the key",
        "check the API key and what it may do",
    ),
    Kind.MODEL_NOT_FOUND: KindWords(
        "model not found",
        "is not available here",
        "no such model for this key: look at the model's name",
        "check the model's name and that the key may use it",
    ),
    Kind.CONTEXT_OVERFLOW: KindWords(
        "prompt too long",
        "cannot take so long a prompt",
        "no room even for a short question",
        "shorten the prompt or add a model with more room",
    ),
    Kind.CONTENT_POLICY: KindWords(
        "refused by a content policy",
        "declined to answer",
        "a filter refuses even a harmless question",
    ),
    Kind.BAD_REQUEST: KindWords(
        "request rejected",
        "did not accept the request",
        "it takes no such request: see what it says",
        "this model takes no such request: see its message",
    ),
    Kind.INVALID_OUTPUT: KindWords(
        "output did not parse",
        "gave an answer in the wrong form",
        "its output does not parse",
    ),
    Kind.REJECTED: KindWords(
        "answer not accepted",
        "gave an answer that was not accepted",
        "it answers, but not as you accept it",
        "see each attempt's error for its `.answer`, and what `accept` asks for",
    ),
    Kind.UNKNOWN: KindWords(
        "unknown failure",
        "failed",
        "nobody knows this failure: see what it says",
    ),
}


def words_for(kind: Kind) -> KindWords:
    """Return the words for a failure kind; those of its name if it has none yet."""
    if (known := _WORDS.get(kind)) is not None:
        return known
    name = kind.value.replace("_", " ")
    return KindWords(name, f"failed ({name})", f"{name}: see what it says")
