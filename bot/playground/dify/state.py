"""Everything the local Dify knows, in memory, with direct methods for a panel and for tests.

The methods do what people do in Dify's console; nothing here speaks HTTP.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from bot.playground.dify import refusals, variables
from bot.playground.dify.apps import App
from bot.playground.dify.auth import Auth
from bot.playground.dify.faults import Faults
from bot.playground.dify.installed import Tools
from bot.playground.dify.releases import NEWEST, RELEASES, Release
from bot.playground.dify.runs import Run
from bot.playground.dify.variables import Variable
from bot.playground.dify.workflows import Account, Workflow

WORKFLOW_MODES = frozenset({"workflow", "advanced-chat"})
MARKED_NAME_MAX, MARKED_COMMENT_MAX = 20, 100


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class DifyState:
    """One Dify server with one workspace. Apps are found by id or by name."""

    version: str = NEWEST.version  # what it says it is
    release: Release = NEWEST  # how it behaves
    clock: Callable[[], datetime] = _now
    admin_key: str = ""
    host_cookies: bool = False  # name cookies `__Host-…`, as a server behind https does
    accounts: list[Account] = field(default_factory=list)
    apps: list[App] = field(default_factory=list)
    workspace_id: str = field(default_factory=lambda: str(uuid4()))
    models: dict[str, set[str]] = field(default_factory=dict)  # of the installed providers
    model_types: dict[tuple[str, str], str] = field(default_factory=dict)  # llm for the others
    model_states: dict[tuple[str, str], str] = field(default_factory=dict)  # active for the others
    tools: list[Tools] = field(default_factory=list)
    datasets: dict[str, str] = field(default_factory=dict)  # knowledge bases: id → name
    pending_imports: dict[str, dict[str, Any]] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    auth: Auth = field(init=False)

    def __post_init__(self) -> None:
        self.auth = Auth(self.accounts, lambda: self.clock(), self.release)

    @classmethod
    def of(cls, version: str, **fields: Any) -> DifyState:
        """An empty server of a release in `releases.RELEASES`; KeyError for another one."""
        return cls(version=version, release=RELEASES[version], **fields)

    # -- people -------------------------------------------------------------------------------

    @property
    def owner(self) -> Account | None:
        return next((a for a in self.accounts if a.role == "owner"), None)

    def add_account(
        self, email: str, password: str, *, name: str = "", role: str = "editor"
    ) -> Account:
        """Add somebody; the first account should be the owner."""
        account = Account(email, name or email.partition("@")[0], password, role)
        account.created_at = self.clock()
        self.accounts.append(account)
        return account

    def account(self, key: str) -> Account:
        """The account of this e-mail address, name or id."""
        return next(a for a in self.accounts if key in {a.email, a.name, a.id})

    def lock_account(self, email: str) -> None:
        """Lock as after too many bad logins, for a day."""
        self.auth.lock(email)

    def _who(self, by: str) -> Account:
        if by:
            return self.account(by)
        return self.owner or self.accounts[0]

    # -- apps ---------------------------------------------------------------------------------

    def app(self, key: str) -> App:
        """The app of this id or name; refuses like the server when there is none."""
        for app in self.apps:
            if key in {app.id, app.name}:
                return app
        raise refusals.app_not_found()

    def create_app(self, name: str, *, mode: str = "workflow", by: str = "", **fields: Any) -> App:
        """Create an app without a draft, as the console does before its first autosave."""
        app = App(
            name=name,
            mode=mode,
            created_by=self._who(by),
            created_at=self.clock(),
            release=self.release,
            **fields,
        )
        self.apps.append(app)
        return app

    def draft(self, key: str) -> Workflow | None:
        return self.app(key).draft

    def live(self, key: str) -> Workflow | None:
        return self.app(key).live

    def versions(self, key: str) -> list[Workflow]:
        """The published versions, newest first, without the draft."""
        return list(reversed(self.app(key).published))

    # -- the draft ----------------------------------------------------------------------------

    def sync(
        self, app: App, content: Mapping[str, Any], *, expected: str | None, by: Account
    ) -> Workflow:
        """Replace the draft by *content* if its hash is *expected*; what is left out is cleared."""
        draft = app.draft
        if draft and draft.hash != expected:
            raise refusals.draft_not_sync(self.release.stale_draft_status)
        environment = variables.parse(content.get("environment_variables"))
        conversation = variables.parse(content.get("conversation_variables"))
        origin = draft.environment_variables if draft else ()
        if draft is None:
            draft = app.draft = self._new_draft(by)
        else:
            self._touch(draft, by)
        draft.graph = copy.deepcopy(dict(content.get("graph") or {}))
        draft.features = copy.deepcopy(dict(content.get("features") or {}))
        draft.environment_variables = variables.keep_hidden(
            environment, origin, unmask=self.release.takes_masks_back
        )
        draft.conversation_variables = conversation
        return draft

    def save_draft_as_editor(
        self,
        key: str,
        *,
        graph: Mapping[str, Any] | None = None,
        features: Mapping[str, Any] | None = None,
        environment_variables: Sequence[Mapping[str, Any]] | None = None,
        conversation_variables: Sequence[Mapping[str, Any]] | None = None,
        by: str = "",
    ) -> str:
        """Save as an editor's browser does; what is None stays as it is. Return the new hash."""
        app = self.app(key)
        now = app.draft
        content: dict[str, Any] = {
            "graph": graph if graph is not None else (now.graph if now else {}),
            "features": features if features is not None else (now.features if now else {}),
            "environment_variables": list(environment_variables)
            if environment_variables is not None
            else _echo(now.environment_variables if now else ()),
            "conversation_variables": list(conversation_variables)
            if conversation_variables is not None
            else _echo(now.conversation_variables if now else ()),
        }
        expected = now.hash if now else None
        return self.sync(app, content, expected=expected, by=self._who(by)).hash

    def _new_draft(self, by: Account) -> Workflow:
        now = self.clock()
        return Workflow(
            {}, {}, (), (), created_by=by, created_at=now, updated_at=now, release=self.release
        )

    def _touch(self, workflow: Workflow, by: Account) -> None:
        workflow.updated_by, workflow.updated_at = by, self.clock()

    # -- versions -----------------------------------------------------------------------------

    def publish(
        self,
        app: App,
        *,
        by: Account,
        name: str = "",
        comment: str = "",
        at: datetime | None = None,
    ) -> Workflow:
        """Publish the draft as it is at this moment, an empty graph too."""
        if app.draft is None:
            raise refusals.invalid_param("No valid workflow found.")
        now = at or self.clock()
        version = Workflow(
            {},
            {},
            (),
            (),
            created_by=by,
            created_at=now,
            updated_at=now,
            version=str(now.astimezone(UTC).replace(tzinfo=None)),
            marked_name=name,
            marked_comment=comment,
            release=self.release,
        )
        version.take_over(app.draft)
        app.published.append(version)
        app.published.sort(key=lambda workflow: workflow.version)
        app.live_id = version.id
        app.updated_by, app.updated_at = by, now
        return version

    def publish_directly(
        self,
        key: str,
        *,
        graph: Mapping[str, Any] | None = None,
        features: Mapping[str, Any] | None = None,
        environment_variables: Sequence[Mapping[str, Any]] | None = None,
        conversation_variables: Sequence[Mapping[str, Any]] | None = None,
        name: str = "",
        comment: str = "",
        by: str = "",
        at: datetime | None = None,
    ) -> Workflow:
        """Save what is given and publish it, as an editor does by hand; *at* may lie back."""
        self.save_draft_as_editor(
            key,
            graph=graph,
            features=features,
            environment_variables=environment_variables,
            conversation_variables=conversation_variables,
            by=by,
        )
        who = self._who(by)
        return self.publish(self.app(key), by=who, name=name, comment=comment, at=at)

    def save_model_config(
        self, key: str, changes: Mapping[str, Any], *, by: str = "", at: datetime | None = None
    ) -> None:
        """Change the configuration of an app without a workflow, as its editor's Publish does.

        No provider is asked for the model: what was saved once may lose its provider later.
        """
        app = self.app(key)
        body = {**(app.model_config or {}), **changes}
        app.save_config(body, by=self._who(by), at=at or self.clock())

    def delete_version(self, key: str, version_id: str) -> None:
        """Delete a published version; refuses the draft and the live one as the server does."""
        app = self.app(key)
        found = app.workflow(version_id)
        if found is None:
            raise refusals.not_found(f"Workflow with ID {version_id} not found")
        if found.id == app.live_id:
            raise refusals.bad_request(
                f"Cannot delete workflow that is currently in use by app '{app.id}'"
            )
        if found.is_draft:
            raise refusals.bad_request("Cannot delete draft workflow versions")
        app.published.remove(found)

    def run(
        self,
        key: str,
        version_id: str = "",
        *,
        status: str = "succeeded",
        at: datetime | None = None,
    ) -> Run:
        """Let somebody run a version, by default live, which ends with *status*."""
        app = self.app(key)
        ran = app.workflow(version_id or app.live_id)
        if ran is None or ran.is_draft:
            raise refusals.not_found("Workflow not found")
        run = Run(ran.version, status, at or self.clock(), self.release)
        app.runs.append(run)
        return run

    def restore(self, app: App, version_id: str, *, by: Account) -> Workflow:
        """Copy a version, its secrets too, over the draft; there is no precondition."""
        source = app.workflow(version_id)
        if source is None:
            raise refusals.not_found("Workflow not found.")
        if source.is_draft:
            raise refusals.bad_request("source workflow must be published")
        if app.draft is None:
            app.draft = self._new_draft(by)
        app.draft.take_over(source)
        self._touch(app.draft, by)
        return app.draft


def _echo(kept: tuple[Variable, ...]) -> list[dict[str, Any]]:
    """What a browser sends back of variables that it only read: the placeholder for a secret."""
    return [
        {**variable.shown(), "value": variables.HIDDEN if variable.secret else variable.value}
        for variable in kept
    ]
