"""The few words that observers share: a failure in short, a span of time.

Text for people lives here. A provider's own words never do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_reliable.failures import Failure


def short(failure: Failure) -> str:
    """Return what went wrong in two or three words, such as `server error 529`."""
    status = f" {failure.status}" if failure.status not in (None, 200) else ""
    return f"{failure.kind.value.replace('_', ' ')}{status}"


def seconds(span: float) -> str:
    """Return a span of time with as many digits as help."""
    if span < 0.0995:  # noqa: PLR2004 - what would round to 0.10 s is told so
        digits = ".2g" if 0 < span < 0.00095 else ".0f"  # noqa: PLR2004 - as above
        return f"{span * 1000:{digits}} ms"
    return f"{span:.2f} s" if span < 10 else f"{span:.1f} s"  # noqa: PLR2004 - as above
