"""The page's HTML, whole and in the parts that change."""

from __future__ import annotations

from jinja2 import Environment

from bot.playground.page import dify_panel, drawing, feed
from bot.playground.page.names import Names
from bot.playground.page.story import CAST, COMMANDS, Playing
from bot.playground.page.told import told

REFUSED_SHOWN = 5  # complaints about broken blocks


class Fragments:
    """Draws what a person sees now of the story that is on."""

    def __init__(self, playing: Playing, *, pace_ms: int) -> None:
        self._playing = playing
        self._pace_ms = pace_ms
        self._env: Environment = drawing.environment()

    def draw(self, reader: str) -> dict[str, str]:
        """Return the fragments of the page by name, as *reader* sees them."""
        playing, scene = self._playing, self._playing.scene
        slack = scene.slack.state
        names = Names.of(slack)
        text = drawing.bound_to(names)
        open_views = slack.views_of(reader)
        shown = open_views[-1] if open_views else None
        entries = feed.feed(slack, scene.channel, reader, names)
        direct = feed.feed(slack, f"D{reader[1:]}", reader, names, troubles=False)
        return {
            "stories": self._render("stories", tales=playing.tales, on=playing.tale.name),
            "steps": self._render(
                "steps",
                tale=playing.tale,
                steps=playing.steps(),
                over=playing.over,
                fires=bool(scene.alerts),
            ),
            "feed": self._render(
                "feed",
                entries=entries,
                refused=slack.problems[-REFUSED_SHOWN:],
                channel=names.channel(scene.channel),
                **text,
            ),
            "home": self._render("home", home=feed.home(slack.homes.get(reader)), **text),
            "direct": self._render("direct", entries=direct, **text),
            "dify": self._render(
                "dify", panel=dify_panel.panel(scene.dify.state, scene.app, names)
            ),
            "modal": self._render("modal", view=feed.form(shown), **text),
            **{
                f"told-{one.id}": self._render("told", told=told(slack, one.id), **text)
                for one in CAST
            },
        }

    def page(self, reader: str) -> str:
        """Return the whole page with its fragments in place."""
        scene = self._playing.scene
        return self._env.get_template("page.html.j2").render(
            people=CAST,
            me=reader,
            channel=Names.of(scene.slack.state).channel(scene.channel),
            commands=COMMANDS,
            pace_ms=self._pace_ms,
            fragments=drawing.safe(self.draw(reader)),
        )

    def _render(self, name: str, **values: object) -> str:
        return self._env.get_template(f"{name}.html.j2").render(values)
