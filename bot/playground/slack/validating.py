"""blocks.validate: what this Slack would refuse, without posting it."""

from __future__ import annotations

from bot.blockkit import Problem, message_problems, view_problems
from bot.playground.slack.arguments import Arguments
from bot.playground.slack.state import SlackState
from bot.playground.slack.things import Json, SlackError

_CHECKS = {"message": message_problems, "view": view_problems}


def validate(state: SlackState, args: Arguments) -> Json:
    """blocks.validate of one message or view; see Slack's page of that name."""
    given = [name for name in _CHECKS if args.text(name)]
    if len(given) != 1:
        raise SlackError("invalid_arguments")
    (kind,) = given
    found = _CHECKS[kind](args.json(kind, otherwise=f"invalid_{kind}"))
    if found:
        raise SlackError(f"invalid_{kind}", errors=[_error(problem) for problem in found])
    return {}


def _error(problem: Problem) -> Json:
    return {
        "pointer": problem.pointer,
        "code": "failed_constraint",
        "message": problem.text,
    }
