"""The differences of several apps, to look at as one."""

from __future__ import annotations

from bot.domain.diff.changes import Change, ChangeKind, ChangeList, ChangeOp
from bot.domain.diff.joined import joined
from bot.domain.diff.label import label


def a_change(subject: str) -> Change:
    where = "nodes/llm/data/model/name"
    return Change(ChangeKind.MODEL, ChangeOp.CHANGED, subject, where, "gpt-4o", "gpt-4o-mini")


def test_each_change_is_named_by_its_app_and_reads_as_it_does_alone() -> None:
    triage, search = ChangeList((a_change("Answer"),)), ChangeList((a_change("Look up"),))

    both = joined([("triage", triage), ("kb-search", search)])

    assert [c.subject for c in both.changes] == ["triage · Answer", "kb-search · Look up"]
    assert [label(c) for c in both.changes] == [label(c) for c in triage.changes] * 2


def test_of_one_app_alone_nothing_is_changed() -> None:
    alone = ChangeList((a_change("Answer"),))

    assert joined([("triage", alone)]) is alone
