"""The circuits of one namespace: what this process knows, kept the same as in Redis.

A change is made here at once and noted as the *rule* that made it. The thread applies
the rules to what Redis holds and swaps it in; where another process was faster, it
applies them to what that one has written. So failures seen by several processes add up,
and everybody comes to the same state.

    change here ─► rule noted ─► swap(seen, rule(seen)) ─┬► written: now all know
                                                         └► refused: seen is newer
    every `refresh` seconds ─► one MGET ─► what others have written

What is changed while Redis is away is marked; afterwards it is written if nobody else
has written in the meantime. A Redis that comes back empty is filled again by those who
remember: it carries a random mark (`epoch`) that tells.
"""

from __future__ import annotations

import os
import secrets
import threading
from typing import TYPE_CHECKING, Any, Final, Literal

from langchain_reliable._core import circuit as circuit_rules
from langchain_reliable._core.circuit import CLOSED, Admission, Circuit, State
from langchain_reliable._runtime.clock import epoch
from langchain_reliable._runtime.shared_health.entries import (
    Errand,
    Probe,
    Record,
    Swap,
)
from langchain_reliable._runtime.shared_health.records import (
    Names,
    decode,
    encode,
    says_the_same,
)
from langchain_reliable._runtime.shared_health.scripts import ALL

if TYPE_CHECKING:
    import weakref
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from langchain_reliable._core.steps import Claim
    from langchain_reliable._runtime.clock import Clock
    from langchain_reliable._runtime.shared_health.entries import KeepsPlaces, Rule
    from langchain_reliable._runtime.shared_health.link import (
        Connection,
        Link,
        Question,
    )

_MICRO: Final = 1e-6


class Mirror:
    """What is known in this process of one namespace, and its ties to Redis."""

    def __init__(self, names: Names, clock: Clock) -> None:
        """Begin with nothing known.

        Args:
            names: The names of the namespace's keys.
            clock: The clock by which circuits go here.
        """
        self.circuits: dict[Hashable, Circuit] = {}
        self.healthy: dict[Hashable, Admission] = {}
        self.isolated: set[str] = set()
        self.names: dict[Hashable, str] = {}
        self.clock = clock
        self.book: weakref.ref[KeepsPlaces] | None = None
        self.link: Link
        self._ahead = 0.0
        self._epoch = b""
        self._ids = names
        self._isolated_ids: set[bytes] = set()
        self._isolation: list[tuple[str, ...]] = []  # commands not sent yet
        self._lock = threading.RLock()
        self._lock_pid = os.getpid()
        self._records: dict[str, Record] = {}
        self._record_of: dict[Hashable, Record | None] = {}

    @property
    def lock(self) -> threading.RLock:
        """The one lock of all that share this; a forked process has its own."""
        if self._lock_pid != os.getpid():
            self._lock, self._lock_pid = threading.RLock(), os.getpid()
        return self._lock

    # --- for the calls, under the lock --------------------------------------------

    def keep(self, key: Hashable, circuit: Circuit) -> None:
        """Let calls see a circuit."""
        self.circuits[key] = circuit
        if circuit.is_clean:
            self.healthy[key] = Admission(circuit.generation)
        else:
            self.healthy.pop(key, None)

    def knows(self, key: Hashable) -> bool:
        """Return whether a candidate was met before."""
        return key in self._record_of

    def learn(self, key: Hashable, identity: str | None) -> None:
        """Share a candidate from now on, if others can know who it is."""
        if identity is None:
            self._record_of[key] = None
            return
        redis_key = self._ids.circuit(identity)
        if (record := self._records.get(redis_key)) is None:
            record = self._records[redis_key] = Record(redis_key, [])
        for twin in record.keys:
            self.keep(key, self.circuits.get(twin, CLOSED))
        record.keys.append(key)
        self._record_of[key] = record
        self.link.look_soon()

    def changed(self, key: Hashable, rule: Rule) -> None:
        """Note a change that was made here."""
        if (record := self._record_of.get(key)) is None:
            return
        for other in record.keys:
            if other != key and other in self.circuits:
                self.keep(other, rule(self.circuits[other]))
        if self.link.is_up:
            record.pending.append(rule)
            self.link.hurry()
        else:
            record.is_marked = True

    def isolate(self, name: str) -> None:
        """Let all leave a candidate alone."""
        self._tell(("SADD", self._ids.isolated, self._ids.of(name)))

    def readmit(self, name: str | None) -> None:
        """Let all ask a candidate again, or all candidates."""
        if name is None:
            self._tell(("DEL", self._ids.isolated))
        else:
            self._tell(("SREM", self._ids.isolated, self._ids.of(name)))

    def _tell(self, command: tuple[str, ...]) -> None:
        self._isolation.append(command)
        self.link.start()
        self.link.hurry()

    def claim_probe(
        self,
        key: Hashable,
        longest: float,
        outcome: Callable[[Admission | Literal[False] | None, float], Any],
    ) -> Claim | None:
        """Ask Redis for the one probe; `None` if it can't be asked.

        Args:
            key: Who is to be probed.
            longest: Seconds after which its slot is lent to another.
            outcome: Told what the probe is admitted as; `False` if somebody else is on
                it, `None` where Redis has not said.
        """
        if self._record_of.get(key) is None:
            return None
        probe = Probe(key, longest)
        return self.link.claim(
            probe,
            lambda now: outcome(probe.answer, now),
            lambda _: self._withdraw(probe),
        )

    def _withdraw(self, probe: Probe) -> None:
        """Free the slot of a probe that nobody makes any more."""
        probe.is_withdrawn = True
        if not probe.end() and probe.answer:
            with self.lock:
                self._free_slot(probe.key, probe.answer)

    def _free_slot(self, key: Hashable, admission: Admission) -> None:
        def rule(circuit: Circuit) -> Circuit:
            return circuit_rules.abandoned(circuit, admission)

        if key in self.circuits:
            self.keep(key, rule(self.circuits[key]))
            self.changed(key, rule)

    def wall(self) -> float:
        """Return the seconds since 1970, by Redis's clock where that is known."""
        return self.clock.now() + self._ahead if self._epoch else epoch()

    def limits_key(self, key: Hashable, identity: str | None) -> str | None:
        """Return where the limits of a candidate are; `None` if others can't know.

        Args:
            key: Who it is in this process.
            identity: Whom its limits are counted for, in every process.
        """
        if identity is not None:
            return self._ids.limits(identity)
        record = self._record_of.get(key)
        return None if record is None else self._ids.limits(record.redis_key)

    # --- the thread ---------------------------------------------------------------

    def greet(self, connection: Connection) -> None:
        """Load the scripts, and see that Redis takes what is written.

        A Redis that is full, or a replica, refuses the mark even where it has one.
        """
        for script in ALL:
            connection.load(script.text)
        mark = secrets.token_hex(8)
        connection.run([("SET", self._ids.epoch, mark, "NX")])

    def lost(self) -> None:
        """Mark what Redis does not hold yet; it goes by what is known here from now."""
        with self.lock:
            for record in self._records.values():
                record.is_marked |= bool(record.pending)
                record.pending.clear()

    def forked(self) -> None:
        """Let the next call of a forked process find that its thread is missing."""
        self.lost()
        with self.lock:
            self.healthy.clear()

    def refresh(self, connection: Connection) -> None:
        """Look at all that is known here, with one MGET."""
        with self.lock:
            for key in self._record_of.keys() - self.circuits.keys():  # forgotten
                if (record := self._record_of.pop(key)) is None:
                    continue
                record.keys.remove(key)
                if not record.keys:
                    del self._records[record.redis_key]
            records = list(self._records.values())
        began = self.clock.now()
        keys = [self._ids.epoch, *(one.redis_key for one in records)]
        (seconds, micros), raws, isolated = connection.run(
            [("TIME",), ("MGET", *keys), ("SMEMBERS", self._ids.isolated)]
        )
        with self.lock:
            between = (began + self.clock.now()) / 2
            self._ahead = int(seconds) + int(micros) * _MICRO - between
            mark, *raws = (raw or b"" for raw in raws)
            is_empty = mark != self._epoch and bool(self._epoch)
            self._epoch = mark
            for record, raw in zip(records, raws, strict=True):
                self._seen(record, raw, is_empty=is_empty)
            self._see_isolated(isolated, is_empty=is_empty)
        book = self.book() if self.book is not None else None
        if book is not None:
            connection.run(book.renewals(began))
        if not mark:  # emptied while we were connected
            self.greet(connection)

    def _seen(self, record: Record, raw: bytes, *, is_empty: bool) -> None:
        if record.pending:
            return  # the write to come tells what Redis holds
        here = self.circuits.get(record.keys[0], CLOSED)
        remembers = record.is_marked or (is_empty and not here.is_clean)
        if remembers and raw in (record.raw, b"") and (raw or not here.is_clean):
            record.raw = raw
            record.pending.append(lambda shared: here if record.raw == raw else shared)
            self.link.hurry()
        elif raw != record.raw or record.is_marked:
            self._adopt(record, raw)
        record.is_marked = False

    def _adopt(self, record: Record, raw: bytes) -> None:
        """Take over what Redis holds, with what it does not hold yet on top."""
        record.raw = raw
        circuit = self._with_pending(record)
        for key in record.keys:
            self.keep(key, circuit)

    def _with_pending(self, record: Record) -> Circuit:
        circuit = self._shared(record)
        for rule in record.pending:
            circuit = rule(circuit)
        return circuit

    def _shared(self, record: Record) -> Circuit:
        return decode(record.raw, self._ahead, self.clock.now())

    def _see_isolated(self, ids: Iterable[bytes], *, is_empty: bool) -> None:
        if is_empty:
            for name in self.isolated:
                self.isolate(name)
        if self._isolation:
            return  # what was said here is still to be sent
        self._isolated_ids = set(ids)
        known = set(self.names.values()) | self.isolated
        self.isolated.clear()
        self.isolated.update(name for name in known if self.is_isolated(name))

    def is_isolated(self, name: str) -> bool:
        """Return whether anybody has isolated a candidate of that name."""
        return self._ids.of(name).encode() in self._isolated_ids

    # --- writing ------------------------------------------------------------------

    def exchange(self, connection: Connection, questions: Sequence[Question]) -> bool:
        """Write what is pending, and take probes; return whether more is to be written.

        A refused write is made again at once, on what the other process has written.
        """
        told = self._isolation.copy()
        connection.run(told)
        with self.lock:
            del self._isolation[: len(told)]
            probes = [one for one in questions if isinstance(one, Probe)]
            swaps = [swap for probe in probes if (swap := self._probing(probe))]
            busy = [swap.record for swap in swaps]
            for record in self._records.values():
                if record.pending and record not in busy:
                    swaps.extend(self._swap(record))
        errands = [one for one in questions if isinstance(one, Errand)]
        replies = connection.run(
            [*(one.command for one in swaps), *(one.command() for one in errands)]
        )
        for errand in reversed(errands):
            errand.landed(replies.pop())
        with self.lock:
            for swap, reply in zip(swaps, replies, strict=True):
                is_ours = reply == 1  # else it is what another process has written
                if is_ours:
                    del swap.record.pending[: swap.noted]
                self._adopt(swap.record, swap.new if is_ours else reply)
                # Who has not waited for the answer has gone on to probe without:
                # so the slot is rightly taken.
                probe, admission = swap.probe, swap.admission
                if probe is None or probe.settle(admission if is_ours else False):
                    continue
                if is_ours and probe.is_withdrawn and admission is not None:
                    self._free_slot(probe.key, admission)
            return any(record.pending for record in self._records.values())

    def _swap(self, record: Record) -> list[Swap]:
        before, after = self._shared(record), self._with_pending(record)
        noted = len(record.pending)
        if says_the_same(before, after):
            record.pending.clear()
            return []
        return [Swap(record, noted, encode(after, self._ahead))]

    def _probing(self, probe: Probe) -> Swap | None:
        """Return the write by which a probe is taken, if its circuit is half-open."""
        record = self._record_of.get(probe.key)
        now = self.clock.now()
        circuit = self._with_pending(record) if record is not None else CLOSED
        if record is None or circuit.state(now) is not State.HALF_OPEN:
            probe.settle(answer=False)
            return None
        after = circuit_rules.probed(circuit, now, probe.longest)
        new = encode(after, self._ahead)
        admission = Admission(circuit.generation, probe=True)
        return Swap(record, len(record.pending), new, probe, admission)
