"""Tokens that went out in the last minute, and the pace at which more may go out.

The pace alone (GCRA, as requests have it) does not keep a minute within 110 % of its
limit: a question may be larger than the burst, and a booking that turns out smaller is
given back after others have waited for it. So the minute is counted as well, in slots
of two seconds, and a request goes out when both have room.

The minute counts what a request may take at most. The pace goes by what it is likely to
take: waiting out a `max_tokens` that is never used would leave most of a limit unused.
"""

from __future__ import annotations

from typing import Final, NamedTuple

BURST: Final = 6.0
"""Seconds whose share of a limit may go out at once."""

_SLOT: Final = 2.0
"""Seconds that are counted as one moment. Shorter ones cost more for each request;
longer ones make a group that is always full stand still for as long, once a minute."""

_new: Final = tuple.__new__
"""Makes a minute anew with each request: calling a named tuple takes thrice as long."""

_SLOTS: Final = 31
"""Slots that cover a minute, wherever in a slot it begins."""


class TokenMinute(NamedTuple):
    """Tokens of the last minute.

    Attributes:
        until: When they will have drained at the pace of the limit.
        total: All tokens of the minute.
        slot: The number of the newest slot.
        newest: Tokens of the newest slot.
        older: Tokens of the slots before it, the oldest first.
    """

    until: float
    total: int
    slot: int
    newest: int
    older: tuple[int, ...]


_NOTHING: Final = (0,) * (_SLOTS - 1)

NO_TOKENS: Final = TokenMinute(float("-inf"), 0, 0, 0, _NOTHING)


class Booking(NamedTuple):
    """The tokens of one request, at most and as they are likely to be."""

    most: int
    likely: int


def room_at(minute: TokenMinute, tpm: int, booking: Booking, now: float) -> float:
    """Return when so many tokens may go out; a moment that has passed means at once.

    More than fits into a minute goes out when nothing else has gone out in it.
    """
    paced = minute.until - max(BURST - booking.likely * 60.0 / tpm, 0.0)
    room = max(tpm * 11 // 10 - booking.most, 0)
    if minute.total <= room:
        return paced
    _, total, slot, newest, older = aged(minute, now)
    if total <= room:
        return paced
    counts = iter((*older, newest))
    while total > room:
        total -= next(counts)
        slot += 1
    return max(paced, slot * _SLOT)


def aged(minute: TokenMinute, now: float) -> TokenMinute:
    """Return the minute up to now: what is older has left it."""
    until, total, slot, newest, older = minute
    passed = int(now // _SLOT) - slot
    if passed <= 0 and total:
        return minute
    if passed >= _SLOTS or not total:
        return TokenMinute(until, 0, slot + passed, 0, _NOTHING)
    older = (*older[passed:], newest, *_NOTHING[: passed - 1])
    return TokenMinute(until, sum(older), slot + passed, 0, older)


def booked(minute: TokenMinute, tpm: int, booking: Booking, now: float) -> TokenMinute:
    """Return the minute with a request that goes out now."""
    until, total, slot, newest, older = aged(minute, now)
    most, likely = booking
    until = max(until, now) + likely * 60.0 / tpm
    return _new(TokenMinute, (until, total + most, slot, newest + most, older))


def corrected(
    minute: TokenMinute, tpm: int, slot: int, booking: Booking, used: int, now: float
) -> TokenMinute:
    """Return the minute with what was really used in place of a booking.

    Args:
        minute: The tokens before.
        tpm: The limit.
        slot: The slot in which the request was booked.
        booking: What was booked.
        used: What it has taken.
        now: The present moment.
    """
    until, total, last, newest, older = aged(minute, now)
    until += (used - booking.likely) * 60.0 / tpm
    place = len(older) - (last - slot)
    more = used - booking.most
    if place == len(older):
        more = max(more, -newest)
        return _new(TokenMinute, (until, total + more, last, newest + more, older))
    if not more or not 0 <= place < len(older):  # as booked, or long over
        return TokenMinute(until, total, last, newest, older)
    more = max(more, -older[place])
    counts = list(older)
    counts[place] += more
    return TokenMinute(until, total + more, last, newest, tuple(counts))
