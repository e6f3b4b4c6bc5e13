"""A target in memory that obeys Dify's rules: one draft, a history, a hash over the graph alone.

An editor's hand and the ways to fail are methods; nothing here does I/O.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import itertools
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from bot.domain.dry_run import Looked, Presence, Unread
from bot.domain.masked import masked
from bot.domain.references import Needed
from bot.errors import (
    DraftMoved,
    LiveMoved,
    NoSuchApp,
    NoSuchVersion,
    UpstreamDown,
    UpstreamRefused,
    WouldWriteMask,
)
from bot.ports.target import (
    NONE,
    LiveRef,
    Replacing,
    RunResult,
    SecretsComparison,
    SecretsVerdict,
    SecretValues,
    TargetDraft,
    TargetVersion,
)
from store.document import WORKFLOW_MODES, Document, canonical
from store.records import VersionKind

Hook = Callable[[], Awaitable[object] | object]

SYSTEM = "fake"
RAN_WELL = frozenset({"succeeded", "partial-succeeded"})
EPOCH = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Content:
    """A document with its secret values by id, which leave this module never."""

    document: Document
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def token(self) -> str:
        """Like Dify's hash it covers the graph alone, so other saves do not show in it."""
        return hashlib.sha256(canonical(self.document.content.get("graph", {}))).hexdigest()


@dataclass
class FakeApp:
    """One app. `history` is oldest first."""

    name: str
    mode: str = "workflow"
    draft: Content | None = None
    draft_author: str = "alice"
    draft_at: datetime = EPOCH
    history: list[tuple[TargetVersion, Content]] = field(default_factory=list)
    live_id: str = ""
    tags: list[str] = field(default_factory=list)
    runs: list[FakeRun] = field(default_factory=list)


@dataclass(frozen=True)
class FakeRun:
    """One run of a published version, by Dify's word for how it ended."""

    published_at: datetime
    status: str
    at: datetime


class FakeTarget:
    """Implements `bot.ports.target.Target`; `calls` names the port's methods as they came.

    With *hides_old_secrets* it gives out no published version's secrets, as Dify before 1.8.1.
    """

    def __init__(
        self,
        name: str = "dify.test",
        *,
        clock: Callable[[], datetime] | None = None,
        hides_old_secrets: bool = False,
    ):
        self.name = name
        self.hides_old_secrets = hides_old_secrets
        self.apps: dict[str, FakeApp] = {}
        self.calls: list[str] = []
        self.has: set[Needed] | None = None  # what the workspace has; None: all that is asked for
        self.unusable: dict[Needed, str] = {}
        self.tool_ids: dict[str, str] = {}  # of the apps that others call as a tool
        self._clock = clock
        self._ticks = itertools.count(1)
        self._ids = itertools.count(1)
        self._before: dict[str, deque[Hook]] = defaultdict(deque)
        self._after: dict[str, deque[Hook]] = defaultdict(deque)
        self._errors: dict[str, deque[tuple[Exception, bool]]] = defaultdict(deque)

    # -- the editor's hand --------------------------------------------------------------------

    def add_app(self, app_id: str, *, name: str = "", mode: str = "workflow") -> FakeApp:
        """Make an app without a draft."""
        self.apps[app_id] = FakeApp(name or app_id, mode)
        return self.apps[app_id]

    def save_draft(
        self,
        app_id: str,
        document: Document,
        *,
        secrets: Mapping[str, str] | None = None,
        by: str = "alice",
    ) -> str:
        """Save as an editor; a secret without a value in *secrets* keeps the draft's."""
        app = self.apps[app_id]
        kept = app.draft.secrets if app.draft else {}
        given = secrets or {}
        values = {s.id: given.get(s.id, kept.get(s.id, "")) for s in document.secrets}
        app.draft = Content(document, values)
        app.draft_author, app.draft_at = by, self._now()
        return app.draft.token

    def publish_draft(
        self,
        app_id: str,
        *,
        name: str = "",
        comment: str = "",
        by: str = "alice",
        email: str = "",
        at: datetime | None = None,
    ) -> str:
        """Publish the draft as it is, as an editor does by hand; return the new version's id."""
        app = self.apps[app_id]
        if app.draft is None:
            raise UpstreamRefused(SYSTEM, "there is no draft", "invalid_param")
        version = TargetVersion(
            external_id=f"{app_id}-v{next(self._ids)}",
            external_hash=app.draft.token,
            name=name,
            comment=comment,
            author=by,
            author_email=email,
            published_at=at or self._now(),
            document=app.draft.document,
        )
        app.history.append((version, app.draft))
        app.live_id = version.external_id
        return version.external_id

    def publish_document(
        self,
        app_id: str,
        document: Document,
        *,
        secrets: Mapping[str, str] | None = None,
        name: str = "",
        by: str = "alice",
        email: str = "",
        at: datetime | None = None,
    ) -> str:
        """Save *document* and publish it; return the new version's id."""
        self.save_draft(app_id, document, secrets=secrets, by=by)
        return self.publish_draft(app_id, name=name, by=by, email=email, at=at)

    def change_live(self, app_id: str, document: Document) -> None:
        """Write over what is live, as who changes a row of Dify's database does."""
        app = self.apps[app_id]
        for place, (version, content) in enumerate(app.history):
            if version.external_id == app.live_id:
                changed = Content(document, content.secrets)
                app.history[place] = (replace(version, document=document), changed)

    def point_live_at(self, app_id: str, version_id: str) -> None:
        """Make an older version live, which no console can do."""
        self.apps[app_id].live_id = version_id

    def delete_version(self, app_id: str, version_id: str) -> None:
        """Delete a version that is not live."""
        app = self.apps[app_id]
        if version_id == app.live_id:
            raise UpstreamRefused(SYSTEM, "it is live", "bad_request")
        app.history = [pair for pair in app.history if pair[0].external_id != version_id]

    def run(
        self, app_id: str, version_id: str, status: str = "succeeded", *, at: datetime | None = None
    ) -> None:
        """Let somebody run a version, which ends with *status*."""
        app = self.apps[app_id]
        version, _ = self._version(app, version_id)
        app.runs.append(FakeRun(version.published_at, status, at or self._now()))

    def secret_values(self, app_id: str, version_id: str = "") -> Mapping[str, str]:
        """The plain secrets of a version or of the draft; for a test's assertions alone."""
        app = self.apps[app_id]
        if not version_id:
            return app.draft.secrets if app.draft else {}
        return self._version(app, version_id)[1].secrets

    def save_config(self, app_id: str, config: Mapping[str, object]) -> str:
        """Change an app without a workflow; what it was is told no more. Return the new id."""
        app = self.apps[app_id]
        document = Document(app.mode, {"model_config": dict(config)})
        version = TargetVersion(
            external_id=f"{app_id}-c{next(self._ids)}",
            external_hash="",
            name="",
            comment="",
            author="",
            published_at=self._now(),
            document=document,
            kind=VersionKind.MODEL_CONFIG,
        )
        app.history, app.live_id = [(version, Content(document))], version.external_id
        return version.external_id

    # -- ways to fail -------------------------------------------------------------------------

    def before(self, method: str, hook: Hook) -> None:
        """Run *hook* once, before the next call of the port's *method* does anything."""
        self._before[method].append(hook)

    def after(self, method: str, hook: Hook) -> None:
        """Run *hook* once, after the next call of *method* was applied and before it returns."""
        self._after[method].append(hook)

    def fail(self, method: str, error: Exception, *, applied: bool = False) -> None:
        """Let the next call of *method* raise *error*, after its effect if *applied*."""
        self._errors[method].append((error, applied))

    # -- the port -----------------------------------------------------------------------------

    async def list_live(self) -> AsyncIterator[LiveRef]:
        await self._enter("list_live")
        for app_id, app in list(self.apps.items()):
            yield LiveRef(app_id, app.name, app.mode, app.live_id, tuple(app.tags))
        await self._leave("list_live")

    async def history(self, app_id: str, *, start: int = 0) -> AsyncIterator[TargetVersion]:
        await self._enter("history")
        newest_first = [version for version, _ in reversed(self._app(app_id).history)]
        for version in newest_first[start:]:
            yield version
        await self._leave("history")

    async def count_versions(self, app_id: str) -> int:
        await self._enter("count_versions")
        await self._leave("count_versions")
        return len(self._app(app_id).history)

    async def live(self, app_id: str) -> TargetVersion | None:
        await self._enter("live")
        app = self._app(app_id)
        found = self._version(app, app.live_id)[0] if app.live_id else None
        await self._leave("live")
        return found

    async def draft(self, app_id: str) -> TargetDraft | None:
        await self._enter("draft")
        app = self._app(app_id)
        found = app.draft
        await self._leave("draft")
        if found is None:
            return None
        return TargetDraft(found.token, found.document, app.draft_author, app.draft_at)

    async def draft_secrets_only(self) -> bool:
        return self.hides_old_secrets

    async def compare_secrets(
        self,
        app_id: str,
        *,
        live_id: str,
        own: Mapping[str, str] = NONE,
        published_id: str = "",
    ) -> SecretsComparison:
        await self._enter("compare_secrets")
        app = self._app(app_id)
        nothing = Content(Document(app.mode, {}))
        held = self._version(app, published_id)[1] if published_id else app.draft or nothing
        try:
            compared = self._compared(app, held, live_id, own)
        except UpstreamRefused:
            compared = SecretsComparison(SecretsVerdict.UNKNOWN)
        await self._leave("compare_secrets")
        return compared

    async def run_results(self, app_id: str, *, since: datetime, most: int) -> Sequence[RunResult]:
        await self._enter("run_results")
        app = self._app(app_id)
        logged = app.runs if app.mode == "workflow" else ()
        newest = sorted(logged, key=lambda run: run.at, reverse=True)[:most]
        recent = [run for run in newest if run.at >= since]
        failed = Counter(run.published_at for run in recent if run.status == "failed")
        fine = Counter(run.published_at for run in recent if run.status in RAN_WELL)
        await self._leave("run_results")
        return [RunResult(at, fine[at], failed[at]) for at in sorted(failed.keys() | fine.keys())]

    async def look_up(
        self, needed: Collection[Needed], *, within: timedelta
    ) -> Mapping[Needed, Looked]:
        try:
            async with asyncio.timeout(within.total_seconds()):
                await self._enter("look_up")
        except TimeoutError:
            return {one: Looked(Presence.UNKNOWN, Unread.LATE) for one in needed}
        except UpstreamDown:
            return {one: Looked(Presence.UNKNOWN, Unread.DOWN) for one in needed}
        looked = {one: self._looked(one) for one in needed}
        await self._leave("look_up")
        return looked

    def _looked(self, one: Needed) -> Looked:
        if one in self.unusable:
            return Looked(Presence.UNUSABLE, self.unusable[one])
        there = self.has is None or one in self.has
        return Looked(Presence.THERE if there else Presence.MISSING)

    async def tool_id(self, app_id: str, *, within: timedelta) -> str | None:
        try:
            async with asyncio.timeout(within.total_seconds()):
                await self._enter("tool_id")
        except (TimeoutError, UpstreamDown):
            return None
        found = self.tool_ids.get(app_id, "")
        await self._leave("tool_id")
        return found

    async def read_secrets(
        self, app_id: str, *, live_id: str = "", own: Mapping[str, str] = NONE
    ) -> SecretValues:
        await self._enter("read_secrets")
        app = self._app(app_id)
        if live_id and self.hides_old_secrets:
            raise UpstreamRefused(SYSTEM, "no version's secrets", "secret_out_of_reach")
        held = self._version(app, live_id)[1] if live_id else app.draft
        values = dict(held.secrets) if held else {}
        values |= {key: self._value_of(app, key, own) for key in own}
        await self._leave("read_secrets")
        return SecretValues(values)

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
        await self._enter("stage")
        app = self._versioned(app_id)
        moved = (app.draft.token if app.draft else "") != token
        if moved or (root and (app.draft is None or app.draft.document.root != root)):
            raise DraftMoved(SYSTEM, "the draft was saved since it was read")
        kept = dict(_values_of(app.draft)) if app.draft else {}
        if replacing is not None:
            if app.draft is None or app.draft.secrets != replacing.over.by_id:
                raise DraftMoved(SYSTEM, "a secret of the draft was saved since it was read")
            kept |= replacing.values.by_id
        values = {
            secret.id: kept[secret.id]
            if secret.id in kept
            else self._value_of(app, secret.id, secrets_from)
            for secret in document.secrets
        }
        app.draft = Content(document, values)
        app.draft_author, app.draft_at = "keyturn", self._now()
        new_token = app.draft.token
        await self._leave("stage")
        return new_token

    async def publish(self, app_id: str, *, name: str, comment: str) -> None:
        if len(name) > 20 or len(comment) > 100:
            raise ValueError("too long")
        await self._enter("publish")
        self._versioned(app_id)
        self.publish_draft(app_id, name=name, comment=comment, by="keyturn")
        await self._leave("publish")

    async def configure(self, app_id: str, document: Document, *, root: str) -> None:
        await self._enter("configure")
        app = self._app(app_id)
        if app.mode in WORKFLOW_MODES:
            raise UpstreamRefused(SYSTEM, "it has a draft", "has_versions")
        live = self._version(app, app.live_id)[0].document
        if live.root != root:
            raise LiveMoved(SYSTEM, "saved since it was read")
        if masked(live, document):
            raise WouldWriteMask(SYSTEM, "masked values", "masked_values")
        config = dict(document.content["model_config"])
        config.pop("annotation_reply", None)  # the app's, not the configuration's
        if "annotation_reply" in live.content["model_config"]:
            config["annotation_reply"] = live.content["model_config"]["annotation_reply"]
        self.save_config(app_id, config)
        await self._leave("configure")

    # -- inside -------------------------------------------------------------------------------

    def _now(self) -> datetime:
        return self._clock() if self._clock else EPOCH + timedelta(seconds=next(self._ticks))

    def _app(self, app_id: str) -> FakeApp:
        if app_id not in self.apps:
            raise NoSuchApp(SYSTEM, "no such app", "app_not_found")
        return self.apps[app_id]

    def _versioned(self, app_id: str) -> FakeApp:
        app = self._app(app_id)
        if app.mode not in WORKFLOW_MODES:
            raise UpstreamRefused(SYSTEM, "live at once", "no_versions")
        return app

    def _version(self, app: FakeApp, version_id: str) -> tuple[TargetVersion, Content]:
        for pair in app.history:
            if pair[0].external_id == version_id:
                return pair
        raise NoSuchVersion(SYSTEM, f"no version {version_id}")

    def _compared(
        self, app: FakeApp, held: Content, live_id: str, own: Mapping[str, str]
    ) -> SecretsComparison:
        live = self._version(app, live_id)[1].secrets
        if not held.document.secrets and not (self.hides_old_secrets and live):
            return SecretsComparison(SecretsVerdict.EQUAL)
        shown = _mask if self.hides_old_secrets else str
        wanted = {**live, **{key: self._value_of(app, key, own) for key in own}}
        differing = tuple(
            secret.name
            for secret in held.document.secrets
            if secret.id not in wanted or shown(wanted[secret.id]) != shown(held.secrets[secret.id])
        )
        if differing:
            return SecretsComparison(SecretsVerdict.DIFFER, differing)
        if not self.hides_old_secrets:
            return SecretsComparison(SecretsVerdict.EQUAL)
        absent = tuple(identity for identity in wanted if identity not in held.secrets)
        return SecretsComparison(SecretsVerdict.ALIKE, absent=absent)

    def _value_of(self, app: FakeApp, secret_id: str, secrets_from: Mapping[str, str]) -> str:
        if secret_id in secrets_from and self.hides_old_secrets:
            raise UpstreamRefused(SYSTEM, "no version's secrets", "secret_out_of_reach")
        if secret_id not in secrets_from:
            raise UpstreamRefused(SYSTEM, "a secret without a value", "secret_without_value")
        values = self._version(app, secrets_from[secret_id])[1].secrets
        if secret_id not in values:
            raise UpstreamRefused(SYSTEM, "a secret without a value", "secret_without_value")
        return values[secret_id]

    async def _enter(self, method: str) -> None:
        self.calls.append(method)
        if self._before[method]:
            await _run(self._before[method].popleft())
        if self._errors[method] and not self._errors[method][0][1]:
            raise self._errors[method].popleft()[0]

    async def _leave(self, method: str) -> None:
        if self._after[method]:
            await _run(self._after[method].popleft())
        if self._errors[method]:
            raise self._errors[method].popleft()[0]


def _mask(value: str) -> str:
    """What Dify showed of a value before 1.8.1."""
    return f"{value[:6]}{'*' * 12}{value[-2:]}" if len(value) > 8 else "*" * 20


def _values_of(draft: Content) -> Mapping[str, str]:
    """Every variable's value by id: one that is plain today may be a secret tomorrow."""
    variables = draft.document.content.get("environment_variables", [])
    plain = {
        variable["id"]: str(variable["value"]) for variable in variables if "value" in variable
    }
    return {**plain, **draft.secrets}


async def _run(hook: Hook) -> None:
    result = hook()
    if inspect.isawaitable(result):
        await result
