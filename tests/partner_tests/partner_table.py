"""Writes docs/partners.md: each class by what was seen of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date

    from partner_classes import PartnerClass

INTRODUCTION = """\
# Partner classes

Any LangChain chat model can be a child. These were tried, each against the simulator
of `langchain_reliable.testing`, which speaks its API on the loopback; `make partners`
does it again and writes this table. {when}

| column | what was seen |
| --- | --- |
| accepted | it answers on the four surfaces, the object given stays as it was |
| retries off | 503, 500, 502 and 429: one request an attempt, on the four surfaces |
| silent socket | silent or only pinging: thread, socket, request end with the limit |
| same answer | text, usage, tool calls, structured output: what it says alone |
| faults | with a healthy backup: an answer, or `StreamInterrupted` once shown |
| history | what models of others have said, thoughts included, stops no call |
| no keys | a key that the provider quotes is in no error, log, trail or `repr` |
| `rotate_keys` | the second key is used when the first is limited |

"yes": all tests passed. "-": there is nothing to test. Empty: not installed.

"""

COLUMNS = (
    "accepted",
    "retries off",
    "silent socket",
    "same answer",
    "faults",
    "history",
    "no keys",
    "rotate_keys",
)

END = """
The SDK of `ChatCohere` (5.21) passes over an event of a stream that it can't read, and
says so in its own log alone: nobody above can see that a word is missing.

A class that is not listed is managed by its fields: `max_retries` is set to 0 and a
time-out in seconds (`timeout`, `request_timeout`, ...) is lowered on a copy, clients of
httpx, sessions of `requests` and clients of SDKs made like OpenAI's are replaced by
ones that share the connections, and a class without async code is asked in threads of
its own. What that does not reach is named in one warning for each class.

When a limit is over, what the thread of a sync call (or of a class without async code)
still reads is shut down, whatever HTTP client reads it: httpx, `requests`, urllib3,
botocore, `http.client`, before the headers and after. Three things are not reached: a
connection of HTTP/2, which answers others as well; a name that is being looked up or a
connection that is being made, which end with the client's own time-outs; and a client
that waits outside Python (gRPC). Nothing of it happens without a limit: `invoke` with
the defaults waits in the caller's own thread (`answer_timeout`).

`ChatVertexAI` has a row in `langchain_reliable` and no tests here: its package needs
Google's own SDKs (aiplatform, storage, vectorsearch), which are not installed with the
extra `partners`. `ChatGoogleGenerativeAI` asks Vertex AI too, with `vertexai=True`.
"""


def written(
    classes: Sequence[PartnerClass],
    seen: Mapping[tuple[str, str], Collection[str]],
    today: date,
) -> str:
    """Return the page."""
    head = ["class", "package", *COLUMNS]
    lines = [head, ["---"] * len(head)]
    for one in classes:
        version = one.version or "not installed"
        package = f"{one.package.replace('_', '-')} {version}"
        verdicts = [_verdict(seen.get((one.name, what), ())) for what in COLUMNS]
        lines.append([f"`{one.name}`", package, *verdicts])
    table = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    when = f"Last run: {today:%Y-%m-%d}."
    return INTRODUCTION.format(when=when) + table + "\n" + END


def _verdict(outcomes: Collection[str]) -> str:
    if "failed" in outcomes:
        return "**no**"
    if "passed" in outcomes:
        return "yes"
    return "-" if outcomes else ""
