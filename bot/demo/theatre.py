"""Where the page's stories are played: each on a stage of its own, with nothing left over."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bot.demo.stage import Stage, set_up
from bot.playground.dify.releases import NEWEST
from bot.playground.story.scene import Scene
from bot.playground.tales.all import TALES
from bot.playground.tales.tale import Tale


class Theatre:
    """Has one stage at a time; see `bot.playground.page.story.Theatre`."""

    def __init__(self, *, socket: bool = False, dify_version: str = NEWEST.version) -> None:
        self._socket = socket
        self._dify_version = dify_version
        self._stage: Stage | None = None
        self._over = asyncio.Event()
        self._run: asyncio.Task[None] | None = None

    @property
    def stage(self) -> Stage:
        """The stage that is up; there is one from the first `begin` on."""
        if self._stage is None:
            raise RuntimeError("no story has begun")
        return self._stage

    @property
    def scene(self) -> Scene:
        return self.stage.scene

    @property
    def tale(self) -> Tale:
        return self.stage.tale

    @property
    def tales(self) -> Sequence[Tale]:
        return tuple(TALES.values())

    async def begin(self, name: str) -> None:
        """Set the scene of the story *name*; what was played before is taken down.

        Raises:
            KeyError: There is no such story.
        """
        tale = TALES[name]
        before, over = self._run, self._over
        up: asyncio.Future[Stage] = asyncio.get_running_loop().create_future()
        self._over = asyncio.Event()
        self._run = asyncio.create_task(self._play(tale, up, self._over))
        self._run.add_done_callback(lambda run: _tell_why(run, up))
        stage = await up
        was, self._stage = self._stage, stage
        if was is not None:
            over.set()
            was.slack.state.touch()  # whoever looks at it looks at the new one now
        if before is not None:
            await before

    async def _play(self, tale: Tale, up: asyncio.Future[Stage], over: asyncio.Event) -> None:
        """Keep a stage up until it is *over*; one task opens and closes all that is on it."""
        with tempfile.TemporaryDirectory(prefix="keyturn-demo-") as folder:
            opened = set_up(
                Path(folder), tale=tale, socket=self._socket, dify_version=self._dify_version
            )
            async with opened as stage:
                await stage.service.take_snapshots()
                up.set_result(stage)
                await over.wait()

    async def close(self) -> None:
        """Take down what stands."""
        self._over.set()
        if self._run is not None:
            await self._run


def _tell_why(run: asyncio.Task[None], up: asyncio.Future[Stage]) -> None:
    """Let whoever waits for the stage know why there will be none."""
    if not up.done():
        why = None if run.cancelled() else run.exception()
        up.set_exception(why or RuntimeError("the stage was not set up"))


@asynccontextmanager
async def open_theatre(
    name: str, *, socket: bool = False, dify_version: str = NEWEST.version
) -> AsyncIterator[Theatre]:
    """A theatre whose first story is *name*."""
    theatre = Theatre(socket=socket, dify_version=dify_version)
    try:
        await theatre.begin(name)
        yield theatre
    finally:
        await theatre.close()
