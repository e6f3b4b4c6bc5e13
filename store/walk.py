"""A chain of audit entries walked from its beginning to its end, wherever it is kept: pure."""

from __future__ import annotations

from collections.abc import Iterable

from store import chain
from store.records import AuditAnchor, AuditEntry, Verification

_SHORT = 12  # characters of a hash that a sentence shows


class Walk:
    """Takes entry after entry, oldest first, until one is wrong.

    With *anchors* an entry is wrong too that is not what was anchored. Whoever rewrote a chain
    from some entry on has linked it anew: then the first anchor after that place tells.
    """

    def __init__(
        self, anchors: Iterable[AuditAnchor] = (), *, head: tuple[int, str] | None = None
    ) -> None:
        """Take what stands outside, and the recorded (seq, hash) of the newest entry."""
        self.at = 0
        self.prev = chain.GENESIS
        self.why = ""
        self._held = 0
        self._anchored = 0
        self._head = head
        self._anchors: dict[int, list[AuditAnchor]] = {}
        for anchor in anchors:
            self._anchors.setdefault(anchor.sequence, []).append(anchor)

    def take(self, entry: AuditEntry) -> bool:
        """Go on to *entry*; False where it is wrong: then `why` says what, and it is the end."""
        self.why = (
            chain.flaw(entry, seq=self.at + 1, prev=self.prev)
            or self._beyond(entry)
            or self._not_anchored(entry)
        )
        if self.why:
            return False
        self.at, self.prev = entry.seq, entry.hash
        return True

    def end(self) -> Verification:
        """What was found; a recorded head or an anchor beyond the end tells of what was cut off."""
        why = self.why or self._cut_off()
        return self.broken(why) if why else self._result(ok=True)

    def broken(self, why: str) -> Verification:
        """What was found, when *why* ends it here."""
        return self._result(ok=False, broken_at=self.at + 1, why=why)

    def _result(self, *, ok: bool, broken_at: int | None = None, why: str = "") -> Verification:
        return Verification(ok, self.at, self.prev, broken_at, why, self._held, self._anchored)

    def _beyond(self, entry: AuditEntry) -> str:
        if self._head is None or entry.seq <= self._head[0]:
            return ""
        return f"entry {entry.seq} is beyond the recorded head {self._head[0]}"

    def _cut_off(self) -> str:
        if self._head is not None and self._head != (self.at, self.prev):
            seq, head = self._head
            return (
                f"the chain ends at {self.at} ({self.prev[:_SHORT]}),"
                f" its recorded head is {seq} ({head[:_SHORT]})"
            )
        last = max(self._anchors, default=0)
        if last <= self.at:
            return ""
        return f"the chain ends at {self.at}, but entry {last} was anchored: its end was cut off"

    def _not_anchored(self, entry: AuditEntry) -> str:
        kept = self._anchors.get(entry.seq, ())
        for anchor in kept:
            if not entry.hash.startswith(anchor.hash):
                since = f" after entry {self._anchored}" if self._anchored else ""
                return (
                    f"entry {entry.seq} is not what was anchored ({entry.hash[:_SHORT]}, anchored"
                    f" was {anchor.hash[:_SHORT]}): the chain was written anew{since}"
                )
        if kept:
            self._held, self._anchored = self._held + len(kept), entry.seq
        return ""
