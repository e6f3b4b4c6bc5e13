"""What the reader does on the page, done as the person they chose."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bot.playground.page.story import CAST, Playing
from bot.playground.slack.driver import Answer
from bot.playground.slack.filling import NoSuchButton
from bot.playground.slack.server import RunningSlack
from bot.playground.slack.shapes import Forge
from bot.playground.slack.things import Message

Said = dict[str, object]
Act = Callable[[Said], Awaitable[str]]


class Acting:
    """Each act takes what the page sent and returns what to tell the reader; "": all is well."""

    def __init__(self, playing: Playing) -> None:
        self._playing = playing

    @property
    def _slack(self) -> RunningSlack:
        return self._playing.scene.slack

    def doors(self) -> dict[str, Act]:
        """The acts by the path that they are posted to."""
        return {
            "/click": self._click,
            "/choose": self._choose,
            "/submit": self._submit,
            "/close": self._close,
            "/say": self._say,
            "/home": self._home,
            "/begin": self._begin,
            "/happen": self._happen,
            "/resolve": self._resolve,
        }

    async def _click(self, said: Said) -> str:
        who, action, value = self._who(said), _text(said, "action"), _text(said, "value")
        driver = self._slack.driver
        try:
            if view := _text(said, "view"):
                return _told(await driver.click_in_view(who, view, action, value=value or None))
            ts, channel = _text(said, "ts"), _text(said, "channel")
            try:
                answer = await driver.click(who, ts, action, channel=channel, value=value or None)
            except NoSuchButton:  # redrawn meanwhile: Slack sends the value that was on the screen
                late = Forge(value=value)
                answer = await driver.click(who, ts, action, channel=channel, forge=late)
        except (NoSuchButton, KeyError):
            return "That button is gone: the message has changed."
        return _told(answer)

    async def _choose(self, said: Said) -> str:
        values = said.get("values")
        try:
            answer = await self._slack.driver.choose(
                self._who(said),
                _text(said, "view"),
                _text(said, "action"),
                _text(said, "value"),
                values=values if isinstance(values, dict) else None,
            )
        except (NoSuchButton, KeyError):
            return "That is not to be chosen any more: the form has changed."
        return _told(answer)

    async def options(self, said: Said) -> list[dict[str, str]]:
        """What the app offers in a menu of a form for what the reader typed there."""
        try:
            offered = await self._slack.driver.look_up(
                self._who(said), _text(said, "view"), _text(said, "action"), _text(said, "typed")
            )
        except (NoSuchButton, KeyError):
            return []
        return [{"text": str(one["text"]["text"]), "value": str(one["value"])} for one in offered]

    async def _submit(self, said: Said) -> str:
        values = said.get("values")
        try:
            answer = await self._slack.driver.submit(
                self._who(said), _text(said, "view"), values if isinstance(values, dict) else {}
            )
        except KeyError:
            return "That form is closed."
        return _told(answer)

    async def _close(self, said: Said) -> str:
        try:
            await self._slack.driver.close(self._who(said), _text(said, "view"))
        except KeyError:
            return ""  # it is closed already
        return ""

    async def _home(self, said: Said) -> str:
        """Look at the app's home tab: the app hears of it, and draws."""
        return _told(await self._slack.driver.open_home(self._who(said)))

    async def _say(self, said: Said) -> str:
        who, text = self._who(said), _text(said, "text").strip()
        if not text.startswith("/"):
            if text:
                self._post(who, text)
            return ""
        name, _, rest = text.partition(" ")
        if name != "/rollback":
            return f"{name} is not a command here. Try /rollback help."
        channel = self._playing.scene.channel
        return _told(await self._slack.driver.command(who, channel, name, rest.strip()))

    async def _begin(self, said: Said) -> str:
        return await self._playing.begin(_text(said, "name"))

    async def _happen(self, said: Said) -> str:
        return await self._playing.happen(_text(said, "name"))

    async def _resolve(self, _: Said) -> str:
        return await self._playing.resolve()

    def _post(self, who: str, text: str) -> None:
        """People can talk, too; their text is text, as Slack's own composer sends it."""
        escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        state = self._slack.state
        state.add(Message(self._playing.scene.channel, state.new_ts(), who, escaped))

    def _who(self, said: Said) -> str:
        """The person whom the page chose, if the stories know them."""
        known = [person.id for person in CAST]
        asked = _text(said, "as")
        return asked if asked in known else known[0]


def _text(said: Said, name: str) -> str:
    value = said.get(name)
    return value if isinstance(value, str) else ""


def _told(answer: Answer) -> str:
    if answer.ok:
        return ""
    return (
        "Keyturn did not answer within three seconds."
        if answer.status == 0
        else (f"Keyturn answered with status {answer.status}.")
    )
