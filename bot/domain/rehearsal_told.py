"""What a dry run says, step by step: parts as values, and how they are said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from bot.domain import dry_run, dry_run_told, impact, impact_told
from bot.domain.diff import summary
from bot.domain.dry_run import Severity
from bot.domain.redact import redact_text
from bot.domain.rehearsal import Draft, Rehearsal, Verdict
from bot.language import IN_ENGLISH, Tongue, message
from store.records import Json

# A code, and what it takes: refused: why; found: env, hitches; difference: count: int, phrases;
# impact: impact (of `impact.facts_of`); keep, own: names: list[str], and of_draft: bool; restored;
# reason_needed; replaces: number: int; steps: list of parts
Part: TypeAlias = Mapping[str, Json]
_Said: TypeAlias = Callable[[Part, Tongue], list[str]]

_ROOT: Final = 12


def lines(rehearsal: Rehearsal) -> list[str]:
    """Return what is to be said of *rehearsal* in English, a sentence a line."""
    return said(parts(rehearsal))


def parts(rehearsal: Rehearsal) -> list[Part]:
    """Return what is to be said of *rehearsal*, the gravest first."""
    blocks = [hitch for hitch in rehearsal.hitches if hitch.severity is Severity.BLOCKS]
    others = [hitch for hitch in rehearsal.hitches if hitch.severity is not Severity.BLOCKS]
    return [
        *({"code": "refused", "why": hitch.why} for hitch in blocks),
        {"code": "found", "env": rehearsal.where.env, **dry_run.facts_of(others)},
        *_difference(rehearsal),
        *_impact(rehearsal),
        *_secrets(rehearsal),
        *([*_around(rehearsal), {"code": "steps", "steps": _steps(rehearsal)}] * (not blocks)),
    ]


def understood(told: Iterable[Part]) -> bool:
    """Whether all that was *told* is of this release or an older one."""
    return all(part.get("code") in _LINES for part in told)


def said(told: Iterable[Part], tongue: Tongue = IN_ENGLISH) -> list[str]:
    """Return the parts that were *told*, a sentence a line."""
    return [line for part in told for line in _LINES[part["code"]](part, tongue)]


def as_json(rehearsal: Rehearsal) -> dict[str, Json]:
    """Return *rehearsal* for a program."""
    steps = _steps(rehearsal) if rehearsal.verdict is not Verdict.BLOCKS else []
    return {
        "app": str(rehearsal.where),
        "verdict": rehearsal.verdict.value,
        "live": rehearsal.live.number,
        "version": rehearsal.candidate.number,
        "findings": [
            {
                "severity": hitch.severity.value,
                "what": hitch.what,
                "name": hitch.name,
                "provider": hitch.provider,
                "nodes": list(hitch.nodes),
                "why": hitch.why,
            }
            for hitch in rehearsal.hitches
        ],
        "summary": rehearsal.summary,
        "changes": rehearsal.changes,
        "expected_root": rehearsal.expected_root,
        "secrets": dict(rehearsal.secrets),
        "restored": rehearsal.restored,
        "draft": rehearsal.draft.value,
        "votes": rehearsal.votes,
        "impact": impact.facts_of(rehearsal.impact) if rehearsal.impact else None,
        "reason_needed": rehearsal.reason_needed,
        "replaces": rehearsal.replaces,
        "steps": _numbered(steps, IN_ENGLISH),
    }


# -- As values --------------------------------------------------------------------------------


def _difference(rehearsal: Rehearsal) -> list[Part]:
    if not rehearsal.changes:
        return []
    phrases = [dict(phrase) for phrase in rehearsal.phrases]
    return [{"code": "difference", "count": rehearsal.changes, "phrases": phrases}]


def _impact(rehearsal: Rehearsal) -> list[Part]:
    if rehearsal.impact is None:
        return []
    return [{"code": "impact", "impact": impact.facts_of(rehearsal.impact)}]


def _secrets(rehearsal: Rehearsal) -> list[Part]:
    kept = [redact_text(str(name)) for name in rehearsal.secrets.get("kept", ())]
    own = [redact_text(str(name)) for name in rehearsal.secrets.get("from_version", ())]
    of_draft = rehearsal.secrets.get("of_draft") is True
    found: list[Part] = [{"code": "keep", "names": kept, "of_draft": of_draft}] if kept else []
    return [*found, {"code": "own", "names": own}] if own else found


def _around(rehearsal: Rehearsal) -> list[Part]:
    found: list[Part] = []
    if rehearsal.restored:
        found.append({"code": "restored"})
    if rehearsal.reason_needed:
        found.append({"code": "reason_needed"})
    if rehearsal.replaces is not None:
        found.append({"code": "replaces", "number": rehearsal.replaces})
    return found


def _steps(rehearsal: Rehearsal) -> list[Part]:
    """What an execution would do, in its order."""
    number, root = rehearsal.candidate.number, rehearsal.expected_root[:_ROOT]
    asked: Part = {"code": "wait", "votes": rehearsal.votes}
    read_back: Part = {"code": "read_back", "root": root}
    if rehearsal.at_once:
        return [asked, {"code": "write_over", "number": number}, read_back]
    work = rehearsal.draft is Draft.WORK
    author = rehearsal.draft_author if work else ""
    sealed = [redact_text(name) for name in rehearsal.sealed]
    return [
        asked,
        {"code": "keep_draft", "work": work, "author": author},
        *([{"code": "seal", "names": sealed}] if sealed else []),
        {"code": "write_draft", "number": number},
        {"code": "publish"},
        read_back,
        {"code": "put_back"},
    ]


# -- In words ---------------------------------------------------------------------------------


def _found(part: Part, tongue: Tongue) -> list[str]:
    found = dry_run.hitches_in(part) or ()
    return dry_run_told.in_full(found, env=part["env"], tongue=tongue)


def _of_difference(part: Part, tongue: Tongue) -> list[str]:
    told = tongue.counted(
        "Difference to live, %(num)s change: %(summary)s",
        "Difference to live, %(num)s changes: %(summary)s",
        int(part["count"]),
        summary=summary.said(part["phrases"], tongue),
    )
    return [told]


def _of_impact(part: Part, tongue: Tongue) -> list[str]:
    found = impact.impact_in(part["impact"])
    return [impact_told.line(found, tongue)] if found else []


def _kept(part: Part, tongue: Tongue) -> list[str]:
    names = tongue.filled(", ").join(part["names"])
    sentence = _KEEP_THE_DRAFTS if part["of_draft"] else _KEEP_LIVE
    return [tongue.filled(sentence, names=names)]


def _own(part: Part, tongue: Tongue) -> list[str]:
    names = tongue.filled(", ").join(part["names"])
    return [tongue.filled("Secrets that take the version's own value: %(names)s", names=names)]


def _sentence(sentence: str) -> _Said:
    return lambda part, tongue: [tongue.filled(sentence, **part)]


def _numbered(steps: Sequence[Part], tongue: Tongue) -> list[str]:
    known = [step for step in steps if step["code"] in _STEPS]
    named = [line for step in known for line in _STEPS[step["code"]](step, tongue)]
    return [f"{n}. {step}" for n, step in enumerate(named, 1)]


def _wait(part: Part, tongue: Tongue) -> list[str]:
    votes = int(part["votes"])
    if not votes:
        return [tongue.filled("no approval is needed")]
    waits = tongue.counted("wait for %(num)s approval", "wait for %(num)s approvals", votes)
    return [waits]


def _keep_draft(part: Part, tongue: Tongue) -> list[str]:
    if not part["work"]:
        return [tongue.filled(_KEEP_NOTHING)]
    if not part["author"]:
        return [tongue.filled(_KEEP_WORK)]
    return [tongue.filled(_KEEP_WORK_OF, author=part["author"])]


def _seal(part: Part, tongue: Tongue) -> list[str]:
    names = tongue.filled(", ").join(part["names"])
    return [tongue.filled("seal the values that only the draft has: %(names)s", names=names)]


_KEEP_LIVE: Final = message("Secrets that keep live's value: %(names)s")
_KEEP_THE_DRAFTS: Final = message("Secrets that keep the draft's value: %(names)s")
_KEEP_NOTHING: Final = message(
    "keep the editors' draft in Keyturn's store (it holds nothing that is not live)"
)
_KEEP_WORK: Final = message(
    "keep the editors' draft in Keyturn's store (it holds unpublished work)"
)
_KEEP_WORK_OF: Final = message(
    "keep the editors' draft in Keyturn's store (it holds unpublished work of %(author)s)"
)
_STEPS: Final[Mapping[str, _Said]] = {
    "wait": _wait,
    "write_over": _sentence(
        message("write version %(number)s over what is live, at once: the app has no versions")
    ),
    "keep_draft": _keep_draft,
    "seal": _seal,
    "write_draft": _sentence(
        message("write version %(number)s into the draft, unless somebody saves meanwhile")
    ),
    "publish": _sentence(message("publish the draft under the name rollback-…")),
    "read_back": _sentence(message("read live back: its root has to be %(root)s…")),
    "put_back": _sentence(message("put the editors' draft back")),
}
_LINES: Final[Mapping[str, _Said]] = {
    "refused": _sentence(message("It would be refused: %(why)s")),
    "found": _found,
    "difference": _of_difference,
    "impact": _of_impact,
    "keep": _kept,
    "own": _own,
    "restored": _sentence(
        message("The version was deleted in the target; it would come from Keyturn's store.")
    ),
    "reason_needed": _sentence(
        message("It was rolled back here before, so asking for it takes a reason.")
    ),
    "replaces": _sentence(message("It would take the place of the open rollback to %(number)s.")),
    "steps": lambda part, tongue: _numbered(part["steps"], tongue),
}
