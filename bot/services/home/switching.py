"""A person turns their direct messages off or on, on App Home."""

from __future__ import annotations

from bot.domain.home import Said
from bot.errors import Refused
from bot.ports.people import Directory
from bot.ports.store import Store
from bot.services.asker import Reception
from bot.services.hearing import Hearing, Matter
from store.records import Json

OFF, ON = "off", "on"
PRESSES = (OFF, ON)
_SAID = {OFF: Said.DIRECT_OFF, ON: Said.DIRECT_ON}


class DirectSwitch:
    """Everybody's own, and nobody else's."""

    def __init__(self, store: Store, directory: Directory) -> None:
        self._store = store
        self._reception = Reception(directory)

    async def press(self, hearing: Hearing, press: str) -> None:
        """Turn the messages of who pressed it off or on.

        Raises:
            UpstreamDown, UpstreamRefused: Slack cannot say who this is; nothing was decided.
        """
        item = hearing.item
        matter = Matter(f"direct.{press}", f"person/{item.slack_id}")
        asker = await self._reception.named(item.slack_id, item.team_id, {})
        try:
            asker.must_be_member()
        except Refused as error:
            async with self._store.write() as tx:
                await tx.audit.append(hearing.entry(matter, "refused", why=error.code))
                await hearing.finish(tx, error.code)
            return
        async with self._store.write() as tx:
            entry = hearing.entry(matter, "ok")
            await tx.direct.switch(item.slack_id, off=press == OFF, entry=entry)
            left: dict[str, Json] = {"code": _SAID[press].value, "facts": {}}
            await tx.homes.change(item.slack_id, item.team_id, said=left)
            await hearing.finish(tx, _SAID[press].value)
