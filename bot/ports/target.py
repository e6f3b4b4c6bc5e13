"""The outside system that holds live configurations, as the use cases need it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol

from bot.domain.dry_run import Looked
from bot.domain.references import Needed
from store.document import Document
from store.records import AppEnv, VersionKind

NONE: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True)
class LiveRef:
    """An app of the target, its tags' names, and its live version's id; "" when there is none."""

    app_id: str
    name: str
    mode: str
    live_id: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class TargetVersion:
    """One published version as the target tells it; secret values are never in `document`."""

    external_id: str
    external_hash: str
    name: str
    comment: str
    author: str
    published_at: datetime
    document: Document
    kind: VersionKind = VersionKind.PUBLISHED
    author_email: str = ""  # tells accounts apart, which a name does not


@dataclass(frozen=True)
class TargetDraft:
    """The target's draft; `token` is the hash to give back with the next write."""

    token: str
    document: Document
    author: str
    updated_at: datetime


class SecretsVerdict(StrEnum):
    """What a comparison of secret values said, never which values they are."""

    EQUAL = "equal"  # every secret of the draft is live's, by id and value
    DIFFER = "differ"  # the draft has a secret value of its own that would be lost
    ALIKE = "alike"  # no difference shows, but where `draft_secrets_only` the values cannot be read
    UNKNOWN = "unknown"  # the values could not be compared


@dataclass(frozen=True)
class SecretsComparison:
    """What was compared against what it should be.

    `names` are those that differ; with ALIKE, `absent` are the ids that only the other side has.
    """

    verdict: SecretsVerdict
    names: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


@dataclass(frozen=True)
class SecretValues:
    """Plain secret values by id, for one comparison, one write or one seal: in memory only."""

    by_id: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Replacing:
    """Secret values to write, whatever the draft has under their ids.

    `over` are all that the draft has; one that has others by then is left alone.
    """

    values: SecretValues
    over: SecretValues


@dataclass(frozen=True)
class RunResult:
    """How runs of one version ended; those that were stopped, or still run, are neither.

    `published_at` is that of the version's `TargetVersion`, to the microsecond.
    """

    published_at: datetime
    succeeded: int
    failed: int


class Target(Protocol):
    """The outside system that holds live configurations; one instance per workspace.

    An app whose mode has no versions tells of its one configuration as a version of the kind
    MODEL_CONFIG: that alone is its history, it has no draft, and only `configure` writes into
    it; the others refuse with the code "no_versions". Two of them that were saved in one second
    may have the same id.

    Reads raise `UpstreamDown`, `UpstreamRefused` and its kinds. Writes also raise `Ambiguous`
    when the call may have been applied; nothing here tries a write twice.
    """

    name: str

    def list_live(self) -> AsyncIterator[LiveRef]:
        """Every app of the workspace with its live version's id, by one paged call."""
        ...

    def history(self, app_id: str, *, start: int = 0) -> AsyncIterator[TargetVersion]:
        """Published versions, newest first, from index *start*; the draft is never among them."""
        ...

    async def count_versions(self, app_id: str) -> int:
        """How many published versions there are, found with few small calls."""
        ...

    async def live(self, app_id: str) -> TargetVersion | None: ...
    async def draft(self, app_id: str) -> TargetDraft | None: ...

    async def draft_secrets_only(self) -> bool:
        """True if no published version's secret values can be read: only the draft's can be kept.

        Then `stage` takes no value from a version, and no comparison of values is possible.
        """
        ...

    async def compare_secrets(
        self,
        app_id: str,
        *,
        live_id: str,
        own: Mapping[str, str] = NONE,
        published_id: str = "",
    ) -> SecretsComparison:
        """Compare the draft's secret values with those of version *live_id*, in memory only.

        For an id in *own* the version named there holds the value to compare with. With
        *published_id* it is that version's values that are compared, not the draft's.
        """
        ...

    async def run_results(self, app_id: str, *, since: datetime, most: int) -> Sequence[RunResult]:
        """Of the newest *most* runs those from *since* on, counted by the version that ran.

        Empty where nothing ran, and for a mode whose runs are in no such log.
        """
        ...

    async def look_up(
        self, needed: Collection[Needed], *, within: timedelta
    ) -> Mapping[Needed, Looked]:
        """Say of each of *needed* whether the workspace has it; read-only, and it raises nothing.

        What could not be looked up, also because it took longer than *within*, is UNKNOWN, never
        MISSING.
        """
        ...

    async def tool_id(self, app_id: str, *, within: timedelta) -> str | None:
        """By which id other apps call this one as a tool; "" if they cannot. It raises nothing.

        Apps that call it so stay on the version that the tool was given. None where that could not
        be looked up, also because it took longer than *within*.
        """
        ...

    async def read_secrets(
        self, app_id: str, *, live_id: str = "", own: Mapping[str, str] = NONE
    ) -> SecretValues:
        """The draft's plain secret values; with *live_id* those of that published version.

        For an id in *own* it is the version named there that holds the value.

        Raises:
            UpstreamRefused: They cannot be read; also, where `draft_secrets_only`, with the code
                "secret_out_of_reach" for any version's.
        """
        ...

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
        """Write *document* into the draft over *token*; return the draft's new token.

        A token need not cover all of a draft: with *root*, that of the draft that was read, the
        draft is looked at again right before the write.

        Every secret keeps the value that the draft has under its id. For an id that the draft
        lacks, *secrets_from* names the published version whose value it takes; the value is
        read and written in memory only. An id in neither raises `UpstreamRefused`.

        A secret of *replacing* takes the value named there instead; the draft's secret values are
        read again right before the write.

        Raises:
            DraftMoved: The draft is no longer at *token* or *root*, or has other secret values
                than *replacing* is over; nothing was written.
            Ambiguous: It may have been written: read the draft.
        """
        ...

    async def publish(self, app_id: str, *, name: str, comment: str) -> None:
        """Publish the draft as it is. *name* has at most 20 characters, *comment* 100."""
        ...

    async def configure(self, app_id: str, document: Document, *, root: str) -> None:
        """Write *document* into an app whose mode has no versions; it is live at once.

        Live is read again right before the write and must be *root*. No target can compare it
        with its own write: a save between the two is overwritten, and nothing tells of it.

        Raises:
            LiveMoved: Live is no longer *root*; nothing was written.
            WouldWriteMask: Live or *document* has values that are not shown; nothing was written.
            UpstreamRefused: With the code "has_versions" for any other app.
            Ambiguous: It may have been written: read live.
        """
        ...


class Targets(Protocol):
    """Where each app@env lives."""

    def of(self, where: AppEnv) -> tuple[Target, str]:
        """The target and the app's id there. Raises `UnknownApp`."""
        ...

    def all(self) -> Mapping[AppEnv, tuple[Target, str]]: ...

    def rolls_back_config(self, where: AppEnv) -> bool:
        """True if *where* may be written into although its mode has no versions: live at once."""
        ...
