"""What people rejected before makes a suggestion less sure, by a rule that is stated."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.verdict.decide import Decision, Verdict
from bot.domain.verdict.feedback import Answer, Answered, heard
from bot.domain.verdict.heard import LEAST, trust
from bot.domain.verdict.incident import App, Heard
from bot.domain.verdict.reasons import Reason, reasons
from bot.domain.words import EvidenceCode
from tests.builders import NOON, PROD
from tests.unit.domain.verdict.stage import SEARCH, Stage, a_change, errors_jump

REJECTED = Heard(accepted=1, rejected=2, last="provider was down")


@pytest.fixture
def stage() -> Stage:
    """A bad version a minute before the errors jumped."""
    return Stage(changes=[a_change(1, 1500), a_change(2, 7)], series={PROD: [errors_jump()]})


def told(stage: Stage, said: Heard) -> list[Reason]:
    incident = replace(stage.incident, heard=said)
    found = reasons(incident, stage.decide(heard=said))
    return [one for one in found if one.code is EvidenceCode.REJECTED_HERE]


def odds(decision: Decision) -> float:
    return decision.confidence / (1 - decision.confidence)


@pytest.mark.parametrize(
    ("accepted", "rejected", "factor"),
    [
        *((0, 0, 1.0), (9, 0, 1.0)),
        *((0, 1, 0.5), (1, 2, 0.5), (0, 3, 0.25)),
        *((0, 4, LEAST), (1, 99, LEAST)),
    ],
)
def test_each_rejection_takes_trust_and_never_all_of_it(
    accepted: int, rejected: int, factor: float
) -> None:
    assert trust(Heard(accepted, rejected)) == pytest.approx(factor)


def test_the_odds_of_a_change_are_multiplied_by_what_is_left_of_the_trust(stage: Stage) -> None:
    before, after = stage.decide(), stage.decide(heard=REJECTED)

    assert odds(after) == pytest.approx(odds(before) * trust(REJECTED), rel=1e-6)
    assert after.verdict is Verdict.GO_BACK


def test_by_times_alone_many_rejections_end_in_silence_that_says_why(stage: Stage) -> None:
    stage.series.clear()
    stage.changes[1] = a_change(2, 15)
    often = Heard(rejected=9, last="not us")
    assert stage.decide().verdict is Verdict.GO_BACK

    decision = stage.decide(heard=often)

    assert decision.suggested is None
    assert [one.facts["rejected"] for one in told(stage, often)] == [9]


def test_the_evidence_counts_and_quotes_the_last_one(stage: Stage) -> None:
    (reason,) = told(stage, REJECTED)

    assert reason.facts == {
        "alert": "Errors",
        "rejected": 2,
        "count": 3,
        "reason": "provider was down",
    }
    assert told(stage, Heard(accepted=5)) == []


def test_of_a_change_in_an_app_behind_nothing_was_said(stage: Stage) -> None:
    stage.changes = [a_change(1, 1500), a_change(1, 1500, where=SEARCH)]
    stage.changes.append(a_change(2, 7, where=SEARCH))
    stage.apps = {
        PROD.app: App(PROD.app, depends_on=[SEARCH.app]),
        SEARCH.app: App(SEARCH.app),
    }

    assert stage.decide(heard=REJECTED).confidence == stage.decide().confidence
    assert told(stage, REJECTED) == []


# -- Counting -----------------------------------------------------------------------------------


def said(answer: Answer, hours: int, reason: str = "", alert: str = "Errors") -> Answered:
    return Answered(PROD, alert, NOON + timedelta(hours=hours), answer, reason)


def test_answers_about_the_same_alert_count_and_the_newest_reason_is_kept() -> None:
    answers = [
        said(Answer.ACCEPTED, 1),
        said(Answer.REJECTED, 2, "a fix is on its way"),
        said(Answer.REJECTED, 3, "x" * 1000),
        said(Answer.REJECTED, 4, "another", alert="Latency"),
    ]

    found = heard(answers, "Errors")

    assert (found.accepted, found.rejected, found.last) == (1, 2, "x" * 300)
    assert heard(answers, "Down") == Heard()


def test_neither_silence_nor_another_version_says_that_no_change_did_it() -> None:
    silent = [Answer.EXPIRED, Answer.OTHER_VERSION, Answer.OTHERWISE, Answer.MISSED]

    assert heard([said(one, 1) for one in silent], "Errors") == Heard()
