"""What is written into a Dify: the draft and its publish, and a configuration that is live at once.

A rollback's content is written by a draft sync, never by `/restore`: the sync compares the hash of
the draft that was read, so an editor's save in between is refused instead of lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from bot.adapters.dify import era, model_config, secrets, shapes, wire
from bot.adapters.dify.reading import Reading, secret_names
from bot.adapters.dify.session import Session
from bot.adapters.dify.transport import Request, app_path
from bot.adapters.dify.vault import Vault
from bot.adapters.dify.versions import Versions
from bot.domain.masked import masked
from bot.errors import DraftMoved, LiveMoved, UpstreamRefused, WouldWriteMask
from bot.ports.target import NONE, Replacing
from store.document import Document
from store.failpoint import fp

NAME_MAX, COMMENT_MAX = 20, 100


class Writing:
    """Writes through *session*, over what *versions* reads; secret values come from *vault*."""

    def __init__(
        self, session: Session, reading: Reading, versions: Versions, vault: Vault
    ) -> None:
        self._session = session
        self._reading = reading
        self._versions = versions
        self._vault = vault

    async def stage(
        self,
        app_id: str,
        document: Document,
        *,
        token: str,
        secrets_from: Mapping[str, str],
        root: str = "",
        replacing: Replacing | None = None,
    ) -> str:
        """Write *document* into the draft over *token* ("": there is none yet); see the port.

        Dify's token covers the graph, not the variables, so the draft is read again after
        everything that the write needs, and compared by its *root*. Secret values are in no root:
        what *replacing* is over is read and compared as well.

        Raises:
            DraftMoved: The draft is no longer at *token* or *root*, or its secret values are not
                those to replace; nothing was written.
            UpstreamRefused: Also when a secret has no source, and, with the code "secret_lost",
                when an editor removed a secret between our last read and the write.
            Ambiguous: It may have been written: read the draft.
        """
        await self._must_have_versions(app_id)
        at_once = [secret.id for secret in document.secrets] if replacing is None else []
        there, before = await asyncio.gather(
            self._unmoved(app_id, token, root),
            self._vault.if_readable(app_id, at_once),
        )
        if there is not None:
            await secret_names(there)
        given = replacing.values.by_id if replacing else NONE
        wanted = secrets.sources(document, there, secrets_from, given)
        values = {**await self._vault.wanted(app_id, there, wanted), **given}
        if replacing is not None:
            before = await self._vault.values(app_id)
            if not secrets.equal(before, replacing.over.by_id):
                raise DraftMoved(shapes.SYSTEM, "a secret of the draft was saved since it was read")
        if before or values:  # it took a while to read them
            await self._unmoved(app_id, token, root)
        token = await self._sync(app_id, document, token, values)
        after = await self._vault.if_readable(app_id, wanted.hidden)
        lost = secrets.overwritten(wanted.hidden, before, after)
        if lost:
            what = f"secrets were removed while the draft was written: {', '.join(lost)}"
            raise UpstreamRefused(shapes.SYSTEM, what, "secret_lost")
        return token

    async def publish(self, app_id: str, *, name: str, comment: str) -> None:
        """Publish the draft as it is. *name* has at most 20 characters, *comment* 100."""
        if len(name) > NAME_MAX or len(comment) > COMMENT_MAX:
            raise ValueError("Dify takes 20 characters of name and 100 of comment")
        await self._must_have_versions(app_id)
        body = {"marked_name": name, "marked_comment": comment}
        path = app_path(app_id, "/workflows/publish")
        fp("dify:before_publish")
        answer = await self._session.send(Request("POST", path, body=body, write=True))
        answer.read(wire.published)

    async def configure(self, app_id: str, document: Document, *, root: str) -> None:
        """Write *document* into an app without versions, over the configuration *root*.

        Dify replaces the whole row without a condition; see the port.

        Raises:
            LiveMoved, WouldWriteMask: Nothing was written.
            Ambiguous: It may have been written: read live.
        """
        mode = await self._reading.mode(app_id)
        if mode not in model_config.MODES:
            said = f"the app {app_id} is of mode {mode[:40]}: it has a draft"
            raise UpstreamRefused(shapes.SYSTEM, said, "has_versions")
        body = model_config.to_write(document)
        live = await self._versions.live(app_id)
        if live is None or live.document.root != root:
            raise LiveMoved(shapes.SYSTEM, "the configuration was saved since it was read")
        names = masked(live.document, document)
        if names:
            said = f"values that are masked cannot be written: {', '.join(names)}"
            raise WouldWriteMask(shapes.SYSTEM, said, "masked_values")
        path = app_path(app_id, "/model-config")
        answer = await self._session.send(Request("POST", path, body=body, write=True))
        answer.read(model_config.written)

    async def _must_have_versions(self, app_id: str) -> None:
        mode = await self._reading.mode(app_id)
        if mode in model_config.MODES:
            said = f"the app {app_id} is of mode {mode}: what is written there is live at once"
            raise UpstreamRefused(shapes.SYSTEM, said, "no_versions")

    async def _sync(
        self, app_id: str, document: Document, token: str, values: secrets.Values
    ) -> str:
        """Send all five fields: what is left out would be cleared."""
        content = document.content
        body = {
            "graph": content.get("graph", {}),
            "features": content.get("features", {}),
            "hash": token or None,
            "environment_variables": secrets.environment(document, values),
            "conversation_variables": content.get("conversation_variables", []),
        }
        path = app_path(app_id, "/workflows/draft")
        fp("dify:before_sync")
        answer = await self._session.send(Request("POST", path, body=body, write=True))
        if answer.status in {400, 409} and answer.code == era.DRAFT_MOVED:
            raise DraftMoved(shapes.SYSTEM, "somebody saved the draft meanwhile", answer.code)
        return answer.read(wire.new_token)

    async def _unmoved(self, app_id: str, token: str, root: str) -> Document | None:
        """The draft, if it is still the one that was read."""
        draft = await self._versions.draft(app_id)
        moved = (draft.token if draft else "") != token
        if moved or (root and (draft is None or draft.document.root != root)):
            raise DraftMoved(shapes.SYSTEM, "the draft was saved since it was read")
        return draft.document if draft else None
