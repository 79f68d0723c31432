"""The guard that looks after a test while a cassette plays.

Noticing what a test of failover would hide lives here. Answers are never judged.

A request that is not on the cassette reaches a model as if its provider were down
(seen: the anthropic SDK makes an `APIConnectionError` of it), so the next model is
asked and the test stays green. A recorded answer that nobody fetched means that fewer
requests were made than the test thinks.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from vcr.errors import CannotOverwriteExistingCassetteException as NotOnCassette

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vcr.cassette import Cassette


@contextmanager
def guarded(cassette: Cassette | None, *, to_the_end: bool = True) -> Iterator[None]:
    """Fail if a request was not on the cassette, or if some of it was not played."""
    missed: list[str] = []
    made = NotOnCassette.__init__

    def noted(self: NotOnCassette, *args: Any, **kwargs: Any) -> None:
        request = kwargs["failed_request"]
        missed.append(f"{request!r} {(request.body or b'')[:200]!r}")
        made(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NotOnCassette, "__init__", noted)
        yield
    if missed:
        pytest.fail(f"not on the cassette: {missed}", pytrace=False)
    if cassette is not None and to_the_end and not cassette.all_played:
        played = f"{cassette.play_count} of {len(cassette)} recorded answers"
        pytest.fail(f"only {played} were asked for", pytrace=False)
