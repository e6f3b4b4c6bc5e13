"""Which votes count, and when they are enough: pure rules over one rollback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from store.records import Choice, PolicySnapshot, Rollback, Vote

KEYTURN = "keyturn"  # who asks when an alert does: nobody, so nobody is excluded


def approvals(rollback: Rollback) -> tuple[Vote, ...]:
    """Return the votes that count towards the quorum: one a person, of this very content.

    Neither a void vote, nor the requester's, nor one by somebody who was not eligible when the
    rollback was opened is among them, however it came to be there.
    """
    return tuple(_counted(rollback, Choice.APPROVE).values())


def rejects(rollback: Rollback) -> tuple[Vote, ...]:
    """Return the rejects that stand: one a person, of this very content."""
    return tuple(_counted(rollback, Choice.REJECT).values())


def _counted(rollback: Rollback, choice: Choice) -> Mapping[str, Vote]:
    counted: dict[str, Vote] = {}
    for vote in rollback.votes:
        if (
            vote.choice is choice
            and vote.voided_at is None
            and vote.digest == rollback.content_digest
            and vote.person != rollback.requested_by
            and vote.person in rollback.policy.eligible
        ):
            counted.setdefault(vote.person, vote)
    return counted


def needed(rollback: Rollback) -> int:
    """Return how many people have to approve.

    Without a person who asked for it one has to, whatever the policy says: an alert alone
    changes nothing.
    """
    return needed_by(rollback.policy, rollback.requested_by)


def needed_by(policy: PolicySnapshot, requested_by: str) -> int:
    """Return how many people have to approve what *requested_by* asks for; see `needed`."""
    return max(policy.votes, 1) if requested_by == KEYTURN else max(policy.votes, 0)


def reached(rollback: Rollback, votes: Sequence[Vote] | None = None) -> bool:
    """Return whether enough different people have approved; never true without a policy.

    Only *votes* are looked at, if they are given: a part of the `approvals`.
    """
    counting = approvals(rollback) if votes is None else votes
    enough = len(counting) >= needed(rollback)
    return rollback.policy.named and enough and not unrepresented(rollback, counting)


def unrepresented(rollback: Rollback, votes: Sequence[Vote]) -> tuple[str, ...]:
    """Return the entries of `each_of` for which no vote stands; each vote stands for one alone.

    Who stands for which is chosen so that as many as can be are represented (a matching in a
    bipartite graph, by augmenting paths: Kuhn, Naval Research Logistics Quarterly 2, 1955).
    """
    entries = rollback.policy.each_of if needed(rollback) else ()
    choices = {
        entry: [vote.person for vote in votes if stands_for(rollback, vote, entry)]
        for entry in entries
    }
    stands: dict[str, str] = {}  # person → entry

    def place(entry: str, tried: set[str]) -> bool:
        for person in choices[entry]:
            if person in tried:
                continue
            tried.add(person)
            if person not in stands or place(stands[person], tried):
                stands[person] = entry
                return True
        return False

    return tuple(entry for entry in entries if not place(entry, set()))


def stands_for(rollback: Rollback, vote: Vote, entry: str) -> bool:
    """Return whether *vote* is by one who was in *entry* at the opening and when they voted."""
    was_in = vote.person in rollback.policy.members.get(entry, ())
    return was_in and (vote.slack_id == entry or entry in vote.groups)
