"""Everything outside Keyturn that a story needs, and what can be made to happen there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.playground.dify.server import RunningDify
from bot.playground.dify.workflows import Workflow
from bot.playground.prometheus.server import LocalPrometheus
from bot.playground.slack import people
from bot.playground.slack.server import RunningSlack
from bot.playground.slack.things import Message
from bot.playground.story.alerts import Alert, send
from bot.playground.story.measured import calmed
from bot.playground.story.workflow import APP, ENV


@dataclass
class Scene:
    """A Slack, a Dify and a Prometheus; alerts go to *webhook* with *token*.

    `marks` keeps what a story has to remember of Dify: ids of versions, hashes of drafts.
    """

    slack: RunningSlack
    dify: RunningDify
    webhook: str
    token: str
    prometheus: LocalPrometheus = field(default_factory=LocalPrometheus)
    app: str = APP
    channel: str = people.INCIDENTS
    alerts: list[Alert] = field(default_factory=list)
    marks: dict[str, str] = field(default_factory=dict)

    async def fire(self, app: str = "") -> Alert:
        """Send the alert of an app's error rate, as Alertmanager would."""
        alert = Alert(app or self.app, ENV, starts_at=self.dify.state.clock())
        await self._send(alert.body())
        self.alerts.append(alert)
        return alert

    async def resolve(self) -> None:
        """Let the trouble be over and send that what fires has ended; nothing if nothing does."""
        if self.alerts:
            now = self.dify.state.clock()
            self.prometheus.samples = calmed(self.prometheus.samples, now=now)
        while self.alerts:
            await self._send(self.alerts.pop().body(ended_at=self.dify.state.clock()))

    async def _send(self, body: dict[str, object]) -> None:
        status = await send(body, url=self.webhook, token=self.token)
        if status != 202:
            raise RuntimeError(f"the webhook answered {status}")

    # -- looking ------------------------------------------------------------------------------

    @property
    def live(self) -> Workflow | None:
        """What answers the story's users now."""
        return self.dify.state.live(self.app)

    @property
    def cards(self) -> Sequence[Message]:
        """The messages of the channel that the app wrote, without threads; the newest is last."""
        found = [m for m in self.slack.state.messages(self.channel) if m.bot_id]
        return [m for m in found if m.thread_ts in {"", m.ts} and not m.only_for]

    def says(self, words: str) -> bool:
        """Whether a card says *words*."""
        return any(words in f"{card.text} {card.blocks}" for card in self.cards)

    def told(self, words: str) -> bool:
        """Whether the channel, or a thread in it, says *words*."""
        return any(
            words in f"{m.text} {m.blocks}"
            for m in self.slack.state.everything()
            if m.channel == self.channel and not m.only_for
        )

    def has_button(self, action: str, *, on: Message | None = None) -> bool:
        """Whether a card, or the one that is given, has a button of this action."""
        return any(
            element.get("action_id") == action
            for card in ([on] if on else self.cards)
            for block in card.blocks
            for element in block.get("elements", ())
        )
