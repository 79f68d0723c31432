"""What Redis does in one step.

Each script touches one key, so that all of them work on a cluster.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple


class Script(NamedTuple):
    """Lua that Redis has loaded, and the name by which it is run."""

    text: str
    sha: str


def _script(text: str) -> Script:
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


SWAP: Final = _script(
    """
local held = redis.call('GET', KEYS[1]) or ''
if held ~= ARGV[1] then
  return held
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""
)
"""Compare and set: write only over what the writer has seen.

It returns 1, or what stands there instead; the two can't be mistaken for each other,
even where two processes write the same.

Keys: the record. Arguments: what was seen (empty for nothing), the new value, and the
milliseconds after which it is forgotten.
"""
