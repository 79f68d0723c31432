"""The page of failures says what the code does; run this file to write it anew."""

from __future__ import annotations

import inspect
import re
from itertools import groupby
from pathlib import Path

from langchain_reliable import failures
from langchain_reliable._classify import table_code_words as words
from langchain_reliable._classify import table_codes as codes
from langchain_reliable._classify import table_statuses as statuses
from langchain_reliable.failures import RETRIED_ONCE, VERDICTS, FailureKind, Verdict

PAGE = Path(__file__).parents[2] / "docs" / "failures.md"


def meanings():
    """Read what stands beneath each kind in the source."""
    source = inspect.getsource(failures.FailureKind)
    return dict(re.findall(r'= "(\w+)"\n\s+"""(.+?)"""', source))


def verdicts():
    told = meanings()
    yield "| kind | what went wrong | verdict |"
    yield "| --- | --- | --- |"
    for kind in FailureKind:
        retried = VERDICTS[kind] is Verdict.RETRY
        once = ", once" if retried and kind in RETRIED_ONCE else ""
        yield f"| `{kind}` | {told[kind]} | {VERDICTS[kind]}{once} |"


def status_rows():
    yield "| status | kind | source |"
    yield "| --- | --- | --- |"
    for row in statuses.ROWS:
        named = ", ".join(map(str, row.statuses))
        yield f"| {named} | `{row.kind}` | {row.source} |"
    yield "| any other 4xx | `bad_request` | RFC 9110 |"
    yield "| any other 5xx | `server_error` | RFC 9110 |"


def code_rows():
    yield "| provider | kind | codes | source |"
    yield "| --- | --- | --- | --- |"
    for provider, rows in groupby(codes.ROWS, key=lambda row: row.provider):
        for row in rows:
            vague = " (vague)" if row.vague else ""
            named = ", ".join(f"`{code}`" for code in row.codes)
            yield f"| {provider} | `{row.kind}`{vague} | {named} | {row.source} |"


def word_rows():
    yield "| kind | in the place of | seen at |"
    yield "| --- | --- | --- |"
    for row in words.ROWS:
        over = ", ".join(f"`{kind}`" for kind in FailureKind if kind in row.over)
        yield f"| `{row.kind}` | {over} | {row.source} |"


TABLES = {
    "verdicts": verdicts,
    "statuses": status_rows,
    "codes": code_rows,
    "words": word_rows,
}


def written(page: str) -> str:
    """Return the page with its tables as the code has them."""
    for name, rows in TABLES.items():
        begin, end = f"<!-- begin: {name} -->\n", f"<!-- end: {name} -->"
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        page = f"{before}{begin}" + "".join(f"{row}\n" for row in rows()) + end + after
    return page


def test_the_tables_of_the_page_are_those_of_the_code():
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page), "run python tests/unit_tests/test_docs_failures.py"


def test_every_kind_has_a_verdict_and_a_meaning():
    assert set(VERDICTS) == set(FailureKind) == set(meanings())
    assert set(VERDICTS.values()) <= set(Verdict)


def test_no_code_has_two_meanings():
    meant: dict[str, set[tuple[FailureKind, bool]]] = {}
    for row in codes.ROWS:
        for code in map(codes.canonical, row.codes):
            meant.setdefault(code, set()).add((row.kind, row.vague))
    assert {code for code, kinds in meant.items() if len(kinds) > 1} == set()


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
