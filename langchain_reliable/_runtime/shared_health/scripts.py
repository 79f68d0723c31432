"""What Redis does in one step.

Each script touches one key, so that all of them work on a cluster. The limits are the
rules of `_core/rate_limits.py` once more, since Redis must check and book in one step;
a test holds the two together.
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

_STATE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local held = redis.call('HGETALL', KEYS[1])
local is = {}
for i = 1, #held, 2 do is[held[i]] = held[i + 1] end
local function number(name) return tonumber(is[name] or '0') end
local function put(name, value)
  redis.call('HSET', KEYS[1], name, string.format('%.6f', value))
end
"""

TAKE: Final = _script(
    _STATE
    + """
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local tpm, most, likely = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local parallel, mine, lease = tonumber(ARGV[6]), 'p:' .. ARGV[7], tonumber(ARGV[8])
local tokens, usd, ends = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local wait, why = 0, ''
local function later(seconds, name)
  if seconds > wait then wait, why = seconds, name end
end

if interval > 0 then later(number('r') - burst - now, 'rpm') end

local slot, total, at_once, own = math.floor(now / 2), 0, 0, 0
local slots = {}
for name, value in pairs(is) do
  local kind, rest = string.sub(name, 1, 2), string.sub(name, 3)
  if kind == 's:' then
    local at = tonumber(rest)
    if at <= slot - 31 then
      redis.call('HDEL', KEYS[1], name)
    else
      slots[at] = tonumber(value)
      total = total + slots[at]
    end
  elseif kind == 'p:' then
    local count, till = string.match(value, '(.*):(.*)')
    if tonumber(till) <= now then
      redis.call('HDEL', KEYS[1], name)
    else
      at_once = at_once + tonumber(count)
      if name == mine then own = tonumber(count) end
    end
  end
end

if tpm > 0 then
  later(number('t') - math.max(6 - likely * 60 / tpm, 0) - now, 'tpm')
  local room = math.max(math.floor(tpm * 1.1) - most, 0)
  local at = slot - 30
  while total > room and at <= slot do
    total = total - (slots[at] or 0)
    later((at + 31) * 2 - now, 'tpm')
    at = at + 1
  end
end
if parallel > 0 and at_once >= parallel then later(0.1, 'max_parallel_requests') end
if ends > 0 and number('b') == ends then
  if (tokens >= 0 and number('bt') >= tokens) or (usd >= 0 and number('bu') >= usd) then
    later(ends - now, 'budget')
  end
end
if wait > 0 then return {0, why, string.format('%.6f', wait)} end

local till = math.max(number('r'), now) + interval
if interval > 0 then put('r', till) end
if tpm > 0 then
  put('t', math.max(number('t'), now) + likely * 60 / tpm)
  redis.call('HINCRBY', KEYS[1], 's:' .. slot, most)
end
if parallel > 0 then
  redis.call('HSET', KEYS[1], mine, string.format('%d:%.3f', own + 1, now + lease))
end
redis.call('EXPIRE', KEYS[1], math.ceil(math.max(86400, ends - now + 3600)))
return {1, string.format('%.6f', till), slot}
"""
)
"""Book a request if every limit has room: `_core/rate_limits.take`, for all processes.

It returns 1, when the requests so far will have drained, and the slot of the minute; or
0, which limit is full, and for how many seconds.
"""

END: Final = _script(
    _STATE
    + """
local how, mine = ARGV[1], 'p:' .. ARGV[2]
local interval, till = tonumber(ARGV[3]), tonumber(ARGV[4])
local tpm, slot, most = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local likely, used = tonumber(ARGV[8]), tonumber(ARGV[9])
local ends, usd = tonumber(ARGV[10]), ARGV[11]

if is[mine] then
  local count, kept = string.match(is[mine], '(.*):(.*)')
  if tonumber(count) <= 1 then
    redis.call('HDEL', KEYS[1], mine)
  else
    redis.call('HSET', KEYS[1], mine, (tonumber(count) - 1) .. ':' .. kept)
  end
end
if how == 'failed' then return 1 end
if how == 'unsent' and interval > 0 and is.r then
  put('r', number('r') - math.min(interval, math.max(till - now, 0)))
end
if tpm > 0 and is.t then
  put('t', number('t') + (used - likely) * 60 / tpm)
  local name = 's:' .. slot
  if is[name] then
    redis.call('HSET', KEYS[1], name, math.max(number(name) + used - most, 0))
  end
end
if how == 'settled' and ends > 0 then
  if number('b') ~= ends then
    redis.call('HSET', KEYS[1], 'b', ARGV[10], 'bt', 0, 'bu', 0)
  end
  redis.call('HINCRBY', KEYS[1], 'bt', used)
  redis.call('HINCRBYFLOAT', KEYS[1], 'bu', usd)
  redis.call('EXPIRE', KEYS[1], math.ceil(math.max(86400, ends - now + 3600)))
end
return 1
"""
)
"""End a request: its place is free, and its tokens are those that it has taken."""

RENEW: Final = _script(
    """
local time = redis.call('TIME')
if ARGV[2] == '0' then return redis.call('HDEL', KEYS[1], 'p:' .. ARGV[1]) end
local till = string.format('%.3f', tonumber(time[1]) + tonumber(ARGV[3]))
return redis.call('HSET', KEYS[1], 'p:' .. ARGV[1], ARGV[2] .. ':' .. till)
"""
)
"""Keep the places of a process that lives; those of one that was killed run out."""

ALL: Final = (SWAP, TAKE, END, RENEW)
