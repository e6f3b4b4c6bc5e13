"""What one person sees of the channel: messages, threads, what is for them alone, snippets."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field

from bot.blockkit import Problem, problems
from bot.playground.page.names import Names
from bot.playground.slack.state import SlackState
from bot.playground.slack.things import File, Json, Message, View

SHORT_SNIPPET = 12  # lines of a file that are shown before it must be opened


@dataclass(frozen=True)
class SnippetLine:
    """A line of a file; `kind` is add, del, hunk or ""."""

    kind: str
    text: str


@dataclass(frozen=True)
class Snippet:
    """A file as it stands in a message."""

    id: str
    title: str
    first: tuple[SnippetLine, ...]
    rest: tuple[SnippetLine, ...]
    picture: str = ""  # of a PNG file its data: address; it has no lines then
    in_words: str = ""


@dataclass(frozen=True)
class Entry:
    """A message on the page."""

    id: str
    ts: str
    channel: str
    author: str
    initial: str
    is_app: bool
    time: str
    text: str
    blocks: list[Json]
    only_you: bool
    edited: bool
    broken: tuple[Problem, ...]
    snippets: tuple[Snippet, ...]
    replies: tuple[Entry, ...] = field(default=())


def feed(
    state: SlackState, channel: str, reader: str, names: Names, *, troubles: bool = True
) -> list[Entry]:
    """Return what *reader* sees of *channel*, oldest first, each message with its thread.

    With *troubles* what Slack itself says to them stands at the end.
    """
    here = [m for m in state.everything() if m.channel == channel and m.only_for in {"", reader}]
    tops = [m for m in here if m.thread_ts in {"", m.ts}]
    roots = {m.ts for m in tops}
    entries = []
    for top in tops:
        below = [m for m in here if m.thread_ts == top.ts and m is not top]
        entries.append(_entry(top, names, [_entry(reply, names) for reply in below]))
    strays = [m for m in here if m not in tops and m.thread_ts not in roots]
    entries += [_entry(stray, names) for stray in strays]
    return entries + (_troubles(state, reader, names) if troubles else [])


@dataclass(frozen=True)
class Form:
    """An open modal on the page; `submit` and `close` are text objects or None."""

    id: str
    title: Json
    blocks: list[Json]
    submit: Json | None
    close: Json | None
    errors: dict[str, str]
    values: Json  # what stands in it, as Slack keeps it


def form(view: View | None) -> Form | None:
    """Return what the page draws of *view*."""
    if view is None:
        return None
    content = view.content
    return Form(
        id=view.id,
        title=content["title"],
        blocks=content["blocks"],
        submit=content.get("submit"),
        close=content.get("close"),
        errors=view.errors,
        values=view.values,
    )


@dataclass(frozen=True)
class Home:
    """A person's App Home on the page."""

    id: str
    blocks: list[Json]


def home(view: View | None) -> Home | None:
    """Return what the page draws of *view*; None while the app has drawn nothing."""
    return Home(view.id, view.content["blocks"]) if view is not None else None


def drawable(blocks: list[Json], broken: Iterable[Problem]) -> list[Json]:
    """Return *blocks*, with a mark in the place of each that breaks a rule and may lack things."""
    ill = {problem.pointer.split("/")[1] for problem in broken if problem.pointer}
    return [
        {"type": "", "was": block.get("type")} if str(index) in ill else block
        for index, block in enumerate(blocks)
    ]


def _entry(message: Message, names: Names, replies: Iterable[Entry] = ()) -> Entry:
    author = names.user(message.user)
    broken = problems(message.blocks)
    return Entry(
        id=f"m-{message.ts.replace('.', '')}",
        ts=message.ts,
        channel=message.channel,
        author=author,
        initial=author[:1].upper(),
        is_app=bool(message.bot_id),
        time=names.date(float(message.ts), "{time}"),
        text=message.text,
        blocks=drawable(message.blocks, broken),
        only_you=bool(message.only_for),
        edited=bool(message.edited_ts),
        broken=tuple(broken),
        snippets=tuple(_snippet(file) for file in message.files),
        replies=tuple(replies),
    )


def _troubles(state: SlackState, reader: str, names: Names) -> list[Entry]:
    """What Slack itself tells *reader*; the newest three, at the end where they are looked for."""
    own = [(n, t) for n, t in enumerate(state.troubles) if t.user == reader][-3:]
    return [
        Entry(
            id=f"trouble-{n}",
            ts="",
            channel="",
            author="Slackbot",
            initial="S",
            is_app=False,
            time=names.date(trouble.at, "{time}"),
            text=trouble.text,
            blocks=[],
            only_you=True,
            edited=False,
            broken=(),
            snippets=(),
        )
        for n, trouble in own
    ]


def _snippet(file: File) -> Snippet:
    if file.is_png:
        content = base64.b64encode(file.content or b"").decode()
        address = f"data:image/png;base64,{content}"
        return Snippet(file.id, file.title or file.name, (), (), address, file.alt_text)
    is_diff = file.snippet_type == "diff" or file.name.endswith((".diff", ".patch"))
    lines = [SnippetLine(_kind(line) if is_diff else "", line) for line in file.text.splitlines()]
    return Snippet(
        file.id, file.title or file.name, tuple(lines[:SHORT_SNIPPET]), tuple(lines[SHORT_SNIPPET:])
    )


def _kind(line: str) -> str:
    if line.startswith(("+++ ", "--- ", "@@")):
        return "hunk"
    return {"+": "add", "-": "del"}.get(line[:1], "")
