"""Secret values of the editors' draft that live does not have: sealed, and put back.

Plain values are in local variables only, from the call that reads them to the one that writes
them. What is committed is sealed; what is told is which secrets, by their names.
"""

from __future__ import annotations

from bot.domain import sealed as rules
from bot.errors import DraftMoved, SealBroken, UpstreamRefused
from bot.ports.sealing import Sealing
from bot.ports.store import Store
from bot.ports.target import Replacing, SecretsComparison, SecretsVerdict, SecretValues, Target
from bot.services.contents import Contents
from store.document import Document
from store.records import Leg, Rollback

NOTHING = SecretValues()


class DraftSeal:
    """The secret values of one rollback, on a target whose versions' values can be read."""

    def __init__(
        self, sealing: Sealing, *, store: Store, target: Target, app_id: str, contents: Contents
    ) -> None:
        self._sealing = sealing
        self._store = store
        self._target = target
        self._app_id = app_id
        self._contents = contents

    async def answers(self, compared: SecretsComparison, rollback: Rollback) -> bool:
        """True if the draft has values that must be sealed, or may have over a seal, and can be.

        Never where the reviewers were told that the draft's own values will be in force.
        """
        again = compared.verdict is SecretsVerdict.EQUAL and bool(rollback.execution.sealed)
        return await can_seal(self._target, rollback.current, compared, again=again)

    async def make(self, rollback: Rollback, draft: Document) -> tuple[tuple[str, ...], bytes]:
        """Seal what writing over *draft* would lose: names and seal; both empty: nothing would."""
        found = (await self._read()).by_id
        live = (await self._read(self._contents.live_external_id)).by_id
        staged = (await self._staged()).by_id
        before = await self._sealed(rollback)
        values = rules.to_seal(found, live=live, staged=staged, sealed=before.by_id)
        if not values:
            return (), b""
        named = {secret.id: secret.name for secret in draft.secrets}
        names = tuple(named.get(identity, identity) for identity in values)
        return names, self._sealing.seal(SecretValues(values), rollback_id=rollback.id)

    async def to_stage(self, rollback: Rollback) -> Replacing | None:
        """Which values to write with the approved content: those that the card promised.

        None when nothing is sealed: then the draft has them.

        Raises:
            DraftMoved: Somebody has set a secret of the draft since it was sealed.
            SealBroken: Nobody can say what was sealed.
        """
        if not rollback.execution.sealed:
            return None
        found, staged = await self._read(), await self._staged()
        live = await self._read(self._contents.live_external_id)
        sealed = await self._open(rollback)
        known = {"live": live.by_id, "staged": staged.by_id, "sealed": sealed.by_id}
        if not rules.untouched(found.by_id, **known):
            raise DraftMoved(self._target.name, "a secret of the draft was saved since it was kept")
        return Replacing(staged, over=found)

    async def to_return(self, rollback: Rollback, kept: Document) -> Replacing | None:
        """Which values to write with the editors' draft *kept*: theirs, unless set anew since.

        None when the draft has them: nothing is sealed, or the seal does not open.

        Raises:
            UpstreamRefused: One that is plain text now has no value any more.
        """
        bared = _bared(kept, self._contents.wanted)
        sealed = await self._sealed(rollback)
        if not sealed.by_id and not bared:
            return None
        found, staged = await self._read(), await self._staged()
        live = (await self._read(self._contents.live_external_id)).by_id if bared else {}
        known = {**{key: live[key] for key in bared if key in live}, **sealed.by_id}
        if not bared <= known.keys():
            what = "a secret of the draft has no value to put back"
            raise UpstreamRefused(self._target.name, what, "secret_without_value")
        values = rules.to_return(
            found.by_id,
            staged=staged.by_id,
            sealed=known,
            wanted={secret.id for secret in kept.secrets},
        )
        return Replacing(SecretValues(values), over=found)

    async def opens(self, rollback: Rollback) -> bool:
        """True if nothing is sealed, or what is can be opened."""
        try:
            return not rollback.execution.sealed or bool(await self._open(rollback))
        except SealBroken:
            return False

    async def lost(self, rollback: Rollback) -> tuple[str, ...]:
        """Names of those that were sealed and that the draft has no longer."""
        if not rollback.execution.sealed:
            return ()
        compared = await self._target.compare_secrets(
            self._app_id,
            live_id=self._contents.live_external_id,
            own=self._contents.own_secrets,
        )
        return tuple(name for name in rollback.execution.sealed if name not in compared.names)

    # -- how ------------------------------------------------------------------------------------

    async def _read(self, live_id: str = "") -> SecretValues:
        return await self._target.read_secrets(self._app_id, live_id=live_id)

    async def _staged(self) -> SecretValues:
        """What the approved content's secrets have to be."""
        contents = self._contents
        values = await self._target.read_secrets(
            self._app_id, live_id=contents.live_external_id, own=contents.own_secrets
        )
        ids = {secret.id for secret in contents.wanted.secrets}
        return SecretValues({key: value for key, value in values.by_id.items() if key in ids})

    async def _sealed(self, rollback: Rollback) -> SecretValues:
        """What is sealed; nothing where that does not open: what is missing is told by name."""
        if not rollback.execution.sealed:
            return NOTHING
        try:
            return await self._open(rollback)
        except SealBroken:
            return NOTHING

    async def _open(self, rollback: Rollback) -> SecretValues:
        async with self._store.read() as tx:
            sealed = await tx.seals.get(rollback.id)
        return self._sealing.open(sealed or b"", rollback_id=rollback.id)


async def can_seal(
    target: Target, leg: Leg, compared: SecretsComparison, *, again: bool = False
) -> bool:
    """Return whether the draft has values of its own (or may have, *again*) and can be read.

    Never where the reviewers were told that the draft's own values will be in force.
    """
    if leg.secrets.get("of_draft") is True:
        return False
    wanted = compared.verdict is SecretsVerdict.DIFFER or again
    return wanted and not await target.draft_secrets_only()


def _bared(kept: Document, wanted: Document) -> set[str]:
    """Ids of secrets of *kept* that are plain variables in *wanted*, with a text for a value.

    Putting the secret back over them would make a secret of that text.
    """
    variables = wanted.content.get("environment_variables")
    there = {
        variable.get("id")
        for variable in (variables if isinstance(variables, list) else ())
        if isinstance(variable, dict) and variable.get("value_type") != "secret"
    }
    return {secret.id for secret in kept.secrets if secret.id in there}
