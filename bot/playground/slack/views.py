"""views.*: modals on a trigger that lives three seconds and works once, and App Home.

Rules: docs.slack.dev/surfaces/modals, docs.slack.dev/reference/methods/views.update.
"""

from __future__ import annotations

from bot import blockkit
from bot.playground.slack import filling
from bot.playground.slack.arguments import Arguments
from bot.playground.slack.posting import says, with_ids
from bot.playground.slack.state import SlackState
from bot.playground.slack.things import Json, SlackError, View

TRIGGER_S = 3
STACK = 3


def open_view(state: SlackState, args: Arguments) -> Json:
    """views.open."""
    user = _spend(state, args)
    content = checked(state, args.json("view", otherwise="invalid_arguments"), "views.open")
    return _shown(state, put(state, user, content))


def push(state: SlackState, args: Arguments) -> Json:
    """views.push: on top of what the person has open, at most three deep."""
    user = _spend(state, args)
    content = checked(state, args.json("view", otherwise="invalid_arguments"), "views.push")
    stack = state.views_of(user)
    if not stack:
        raise SlackError("not_found")
    if len(stack) >= STACK:
        raise SlackError("push_limit_reached")
    return _shown(state, put(state, user, content, below=stack[-1]))


def update(state: SlackState, args: Arguments) -> Json:
    """views.update: refused with `hash_conflict` when the view moved on since *hash*."""
    view = _named(state, args)
    given = args.text("hash")
    if given and given != view.hash:
        raise SlackError("hash_conflict")
    content = checked(state, args.json("view", otherwise="invalid_arguments"), "views.update")
    return _shown(state, replace(state, view, content))


def publish(state: SlackState, args: Arguments) -> Json:
    """views.publish: the App Home of one person."""
    user = state.user(args.need("user_id")).id
    before, given = state.homes.get(user), args.text("hash")
    if given and (before is None or given != before.hash):
        raise SlackError("hash_conflict")
    content = checked(state, args.json("view", otherwise="invalid_arguments"), "views.publish")
    if content["type"] != "home":
        raise SlackError("invalid_arguments")
    view_id = before.id if before else state.new_id("V")
    state.homes[user] = View(view_id, user, content, _new_hash(state), view_id)
    state.touch()
    return _shown(state, state.homes[user])


def checked(state: SlackState, content: object, method: str) -> Json:
    """Return *content* with the ids that Slack fills in, or refuse it and remember why."""
    if found := blockkit.view_problems(content):
        state.complain(method, found)
        raise SlackError("invalid_arguments", **says(found))
    if not isinstance(content, dict):
        raise SlackError("invalid_arguments")
    return {**content, "blocks": with_ids(state, content["blocks"])}


def put(state: SlackState, user: str, content: Json, *, below: View | None = None) -> View:
    """Show *user* a modal: a new one, or one on top of *below*."""
    if below is None:
        close(state, *state.views_of(user))
    view_id = state.new_id("V")
    root, previous = (below.root_id, below.id) if below else (view_id, "")
    view = View(view_id, user, content, _new_hash(state), root, previous)
    state.views[view_id] = view
    state.touch()
    return view


def replace(state: SlackState, view: View, content: Json) -> View:
    """Put *content* in the place of what *view* shows.

    What was filled in stays where the block and the element keep their ids.
    """
    view.values = filling.kept(view.values, content["blocks"])
    view.content, view.hash, view.errors = content, _new_hash(state), {}
    state.touch()
    return view


def close(state: SlackState, *views: View) -> None:
    """Close these modals; a closed one is closed already."""
    for view in views:
        state.views.pop(view.id, None)
    state.touch()


def _spend(state: SlackState, args: Arguments) -> str:
    """Use up the trigger and return whose it is."""
    trigger = state.triggers.get(args.need("trigger_id"))
    if trigger is None:
        raise SlackError("invalid_trigger_id")
    if trigger.used:
        raise SlackError("exchanged_trigger_id")
    if state.now() - trigger.at > TRIGGER_S:
        raise SlackError("expired_trigger_id")
    trigger.used = True
    return trigger.user


def _named(state: SlackState, args: Arguments) -> View:
    external = args.text("external_id")
    for view in [*state.views.values(), *state.homes.values()]:
        if view.id == args.text("view_id") or (
            external and view.content.get("external_id") == external
        ):
            return view
    raise SlackError("not_found")


def _new_hash(state: SlackState) -> str:
    return f"{int(state.now())}.{state.new_id('h')}"


def _shown(state: SlackState, view: View) -> Json:
    return {"view": view.as_json(team=state.team, app=state.app, bot=state.bot)}
