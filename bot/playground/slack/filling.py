"""What a person can press and fill in: buttons, menus and inputs of blocks, and what they hold."""

from __future__ import annotations

from collections.abc import Iterator

from bot.playground.slack.things import Json, View

_CHOICES = frozenset({"static_select", "external_select", "radio_buttons"})


class NoSuchButton(LookupError):
    """The message or modal, as it stands now, has no such button, and offers no such thing."""


def button(blocks: list[Json], action_id: str, value: str | None) -> Json:
    """Return the button of *blocks* whose action id is *action_id* or ends with it."""
    for found in _elements(blocks):
        if found.get("type") != "button":
            continue
        own = found.get("action_id", "")
        named = own == action_id or own.endswith((f".{action_id}", f":{action_id}"))
        if named and value in {None, found.get("value")}:
            return {name: held for name, held in found.items() if name != "dispatches"}
    raise NoSuchButton(f"there is no button {action_id} now")


def element(view: View, action_id: str) -> Json:
    """Return the menu or the radio buttons of *view* with this action id, with its block's id.

    `dispatches` says whether the app hears at once of what is chosen there.
    """
    for found in _elements(view.content["blocks"]):
        if found.get("action_id") == action_id and found.get("type") in _CHOICES:
            return found
    raise NoSuchButton(f"there is nothing to choose at {action_id} now")


def option(view: View, asked: Json, value: str) -> Json:
    """Return the option of *asked* with this value: one that it has, or that the app offered."""
    known = [*asked.get("options", ()), *view.offered.get(asked["action_id"], ())]
    known += [one for group in asked.get("option_groups", ()) for one in group["options"]]
    known += [asked["initial_option"]] if "initial_option" in asked else []
    for one in known:
        if one["value"] == value:
            return dict(one)
    raise NoSuchButton(f"{asked['action_id']} does not offer {value}")


def filled(view: View, values: Json) -> Json:
    """Slack's `state.values`: every input, with null where nothing was given."""
    said: Json = {}
    for block in view.content["blocks"]:
        if block.get("type") != "input":
            continue
        block_id, action = block["block_id"], block["element"]["action_id"]
        given = values.get(block_id, {}).get(action) if block_id in values else values.get(action)
        before = view.values.get(block_id, {}).get(action)
        said[block_id] = {action: _holds(view, {**block["element"]}, given, before)}
    return said


def kept(values: Json, blocks: list[Json]) -> Json:
    """What of *values* stands in inputs that *blocks* have too."""
    still: Json = {}
    for block in blocks:
        action = block.get("element", {}).get("action_id") if block.get("type") == "input" else None
        held = values.get(str(block.get("block_id")), {})
        if action in held and held[action]["type"] == block["element"]["type"]:
            still[block["block_id"]] = {action: held[action]}
    return still


def _holds(view: View, asked: Json, given: object, before: Json | None) -> Json:
    kind = asked["type"]
    if isinstance(given, dict):
        return {"type": kind, **given}
    if given is None and before is not None:
        return before
    if kind in _CHOICES:
        at_first = asked.get("initial_option")
        picked = option(view, asked, str(given)) if given else at_first
        return {"type": kind, "selected_option": picked}
    return {"type": kind, "value": given or None}


def _elements(blocks: list[Json]) -> Iterator[Json]:
    for block in blocks:
        held = {"block_id": block.get("block_id", "")}
        for found in [*block.get("elements", []), block.get("accessory")]:
            if isinstance(found, dict):
                yield {**found, **held, "dispatches": True}
        if block.get("type") == "input":
            yield {**block["element"], **held, "dispatches": bool(block.get("dispatch_action"))}
