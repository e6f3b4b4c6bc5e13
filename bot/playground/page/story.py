"""The story that is on: which of its steps comes next, and what the reader can make happen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

from bot.playground.slack import people
from bot.playground.story.scene import Scene
from bot.playground.tales.tale import Step, Tale


@dataclass(frozen=True)
class Person:
    """Somebody to act as; `note` says what they may do."""

    id: str
    name: str
    note: str


CAST = (
    Person(people.ALICE, "alice", "reviewer"),
    Person(people.BOB, "bob", "reviewer"),
    Person(people.CAROL, "carol", "reviewer"),
    Person(people.DAVE, "dave", "no reviewer"),
    Person(people.MEI, "mei", "no reviewer, reads Chinese"),
)
COMMANDS = (
    "/rollback",
    "/rollback status",
    "/rollback jobs",
    "/rollback log support-triage@prod",
    "/rollback diff support-triage@prod 6",
    "/rollback who support-triage@prod",
    "/rollback drill",
    "/rollback snapshot",
    "/rollback help",
)


class Theatre(Protocol):
    """Where stories are played. Each begins with a scene of its own, in which nothing happened."""

    @property
    def scene(self) -> Scene:
        """The scene that is set now."""

    @property
    def tale(self) -> Tale:
        """The story that it is set for."""

    @property
    def tales(self) -> Sequence[Tale]:
        """Every story that can begin."""

    async def begin(self, name: str) -> None:
        """Set the scene of another story, or of the same one again; KeyError for none."""


@dataclass(frozen=True)
class ShownStep:
    """A step on the page. `state` is done, now or later; `moves` is JSON for who plays it."""

    name: str
    title: str
    hint: str
    state: str
    label: str
    moves: str


class Playing:
    """How far the reader is in the story that is on."""

    def __init__(self, theatre: Theatre) -> None:
        self._theatre = theatre
        self._reached = 0  # steps that are over in the scene
        self._of: Scene | None = None  # the scene that they were seen in
        self._one = asyncio.Lock()  # two stories are not begun at once

    @property
    def scene(self) -> Scene:
        return self._theatre.scene

    @property
    def tale(self) -> Tale:
        return self._theatre.tale

    @property
    def tales(self) -> Sequence[Tale]:
        return self._theatre.tales

    @property
    def over(self) -> bool:
        """Whether every step is over."""
        return self._look() == len(self.tale.steps)

    async def begin(self, name: str) -> str:
        """Begin a story, and let happen what comes before people have to do something."""
        if name not in [tale.name for tale in self.tales]:
            return "There is no such story."
        async with self._one:
            await self._theatre.begin(name)
            self._of = None
            for step in self.tale.steps:
                if step.happens is None:
                    break
                await self._let_happen(step)
        return ""

    async def happen(self, name: str) -> str:
        """Let the step *name* happen, if it is the one that comes next."""
        async with self._one:
            steps, at = self.tale.steps, self._look()
            step = steps[at] if at < len(steps) else None
            if step is None or step.name != name or step.happens is None:
                return "That cannot happen now."
            await self._let_happen(step)
        return ""

    async def resolve(self) -> str:
        """Let the alerts end."""
        await self.scene.resolve()
        self.scene.slack.state.touch()
        return ""

    async def _let_happen(self, step: Step) -> None:
        if step.happens is not None:
            await step.happens(self.scene)
        self._reached, self._of = self.tale.steps.index(step) + 1, self.scene
        self.scene.slack.state.touch()

    def steps(self) -> list[ShownStep]:
        """The steps as they stand now; exactly one is `now` until all are over."""
        at = self._look()
        return [
            ShownStep(
                step.name,
                step.title,
                step.hint,
                "done" if n < at else "now" if n == at else "later",
                step.label,
                json.dumps([asdict(move) for move in step.moves]),
            )
            for n, step in enumerate(self.tale.steps)
        ]

    def _look(self) -> int:
        """How many steps are over; none begins again, and what is seen ends those before it."""
        steps, scene = self.tale.steps, self.scene
        if self._of is not scene:
            self._reached, self._of = 0, scene
        for n, step in enumerate(steps[self._reached :], start=self._reached):
            if step.happens is not None:
                break  # nothing after it can be seen before it has happened
            if step.seen(scene):
                self._reached = n + 1
        return self._reached
