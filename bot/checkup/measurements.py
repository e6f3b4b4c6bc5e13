"""Prometheus: does it answer, are the queries right, and do they bring something of each app."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from functools import partial
from time import time

import aiohttp

from bot.adapters.prometheus import inspection
from bot.adapters.prometheus.look_back import Answered
from bot.checkup.answering import answering
from bot.checkup.finding import Finding, Verdict, failed, note, ok
from bot.config.settings import Settings
from bot.errors import UpstreamRefused
from bot.opening import authorization, look_back

WHAT, WHAT_OF_QUERIES = "prometheus", "prometheus queries"
_NAMED = 6  # queries that are named in one line


async def findings(settings: Settings, http: aiohttp.ClientSession) -> AsyncIterator[Finding]:
    """Look at Prometheus and, where it answers, at the queries."""
    prometheus = settings.prometheus
    if prometheus is None:
        return
    version = partial(inspection.version, authorization=authorization(prometheus))
    found = await answering(WHAT, prometheus.url, version, http)
    yield found
    if found.verdict is Verdict.OK and settings.places:
        yield _queries(await _asked(settings))


async def _asked(settings: Settings) -> list[Answered]:
    asking = look_back(settings)
    if asking is None:
        return []
    try:
        return await asking.examine(settings.places, until=datetime.fromtimestamp(time(), UTC))
    finally:
        await asking.close()


def _queries(answers: Sequence[Answered]) -> Finding:
    """One line about all of them: the first that is refused, else what brought nothing."""
    refused = next((a for a in answers if isinstance(a.failure, UpstreamRefused)), None)
    if refused is not None:
        return _refused(refused)
    silent = [a for a in answers if a.series is None and a.failure is None and not a.count]
    several = [a for a in answers if a.count > 1]
    unanswered = [a for a in answers if a.failure is not None]
    said = [
        *_said("nothing was measured by", silent),
        *_said("more than one series (put sum() or max() around it) came of", several),
        *_said("no answer came to", unanswered),
    ]
    places = len({answer.question.where for answer in answers})
    if said:
        return note(WHAT_OF_QUERIES, "; ".join(said))
    measured = f"{len(answers)} queries bring something of {places} app{'s' * (places != 1)}"
    return ok(WHAT_OF_QUERIES, measured)


def _refused(answer: Answered) -> Finding:
    question = answer.question
    said = f"{question.key} of {question.where} is refused ({answer.failure})"
    mend = f"correct {question.key} in [prometheus], or in [app.{question.where.app}] metrics"
    return failed(WHAT_OF_QUERIES, said, mend)


def _said(what: str, answers: Sequence[Answered]) -> list[str]:
    if not answers:
        return []
    names = [f"{answer.question.key} of {answer.question.where}" for answer in answers]
    more = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED else []
    return [f"{what} {', '.join([*names[:_NAMED], *more])}"]
