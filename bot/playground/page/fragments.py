"""The page's HTML, whole and in the parts that change."""

from __future__ import annotations

from jinja2 import Environment

from bot.playground.dify.state import DifyState
from bot.playground.page import dify_panel, drawing, feed, story
from bot.playground.page.names import Names
from bot.playground.page.story import Progress, Story
from bot.playground.slack.state import SlackState

REFUSED_SHOWN = 5  # complaints about broken blocks


class Fragments:
    """Draws what a person sees now; holds nothing but the progress of the story."""

    def __init__(self, slack: SlackState, dify: DifyState, tale: Story) -> None:
        self.progress = Progress()
        self._slack = slack
        self._dify = dify
        self._story = tale
        self._env: Environment = drawing.environment()

    def draw(self, reader: str) -> dict[str, str]:
        """Return the fragments of the page by name, as *reader* sees them."""
        names = Names.of(self._slack)
        text = drawing.bound_to(names)
        steps = story.steps(self.progress, self._slack, self._dify, self._story)
        channel = self._story.channel
        open_views = self._slack.views_of(reader)
        shown = open_views[-1] if open_views else None
        return {
            "steps": self._render(
                "steps",
                steps=steps,
                resolve=self._story.resolve is not None and self.progress.fired,
            ),
            "feed": self._render(
                "feed",
                entries=feed.feed(self._slack, channel, reader, names),
                refused=self._slack.problems[-REFUSED_SHOWN:],
                channel=names.channel(channel),
                **text,
            ),
            "home": self._render("home", home=feed.home(self._slack.homes.get(reader)), **text),
            "direct": self._render(
                "direct",
                entries=feed.feed(self._slack, f"D{reader[1:]}", reader, names, troubles=False),
                **text,
            ),
            "dify": self._render(
                "dify", panel=dify_panel.panel(self._dify, self._story.app, names)
            ),
            "modal": self._render("modal", view=feed.form(shown), **text),
        }

    def page(self, reader: str) -> str:
        """Return the whole page with its fragments in place."""
        return self._env.get_template("page.html.j2").render(
            people=self._story.people,
            me=reader,
            channel=Names.of(self._slack).channel(self._story.channel),
            commands=self._story.commands,
            fragments=drawing.safe(self.draw(reader)),
        )

    def _render(self, name: str, **values: object) -> str:
        return self._env.get_template(f"{name}.html.j2").render(values)
