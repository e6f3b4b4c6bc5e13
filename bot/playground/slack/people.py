"""Who and what is in the local workspace: people with every role, user groups, channels."""

from __future__ import annotations

from dataclasses import dataclass, field

TEAM = "T0KEYTURN01"
OTHER_TEAM = "T0STRANGERS"
APP = "A0KEYTURN01"
BOT_USER = "U0KEYTURN01"
BOT = "B0KEYTURN01"
SLACKBOT = "USLACKBOT"

ALICE, BOB, CAROL, DAVE = "U0ALICE0001", "U0BOB000001", "U0CAROL0001", "U0DAVE00001"
MEI = "U0MEI000001"  # reads Slack in Chinese
FORMER = "U0FORMER001"  # deleted, but still listed in the reviewers' group
ROBOT = "U0ROBOT0001"
GUEST = "U0GUEST0001"  # multi-channel guest: is_restricted
SINGLE_GUEST = "U0SINGLE001"  # single-channel guest: is_ultra_restricted as well
STRANGER = "U0STRANGER1"  # of another organisation, by way of a shared channel

REVIEWERS, DEVELOPERS = "S0REVIEWERS", "S0DEVELOPER"
INCIDENTS, SHARED, ELSEWHERE, ARCHIVED = (
    "C0INCIDENT1",
    "C0SHARED001",
    "C0ELSEWHERE",
    "C0ARCHIVED1",
)


@dataclass
class User:
    """An account; the flags are those of the user object that users.info returns."""

    id: str
    name: str
    team_id: str = TEAM
    tz: str = "Europe/Berlin"
    locale: str = "en-US"
    deleted: bool = False
    is_bot: bool = False
    is_admin: bool = False
    is_owner: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False
    enterprise_id: str = ""
    enterprise_teams: list[str] = field(default_factory=list)

    def as_json(self, *, locale: bool = False) -> dict[str, object]:
        """Return the user object; `is_stranger` and `enterprise_user` are absent when not so.

        The *locale* is there only for who asks for it.

        A deleted account has lost its role flags, as in https://docs.slack.dev/reference/objects/user-object.
        """
        shown: dict[str, object] = {
            "id": self.id,
            "team_id": self.team_id,
            "name": self.name,
            "deleted": self.deleted,
            "is_bot": self.is_bot,
            "is_app_user": False,
            "updated": 1_760_000_000,
            "profile": {"real_name": self.name.title(), "display_name": self.name},
        }
        if not self.deleted:
            shown |= {"real_name": self.name.title(), "tz": self.tz, "tz_offset": 3600}
            shown |= {"tz_label": "Central European Time", "color": "3c989f"}
            shown |= {"is_admin": self.is_admin, "is_owner": self.is_owner}
            shown |= {"is_primary_owner": self.is_owner, "is_restricted": self.is_restricted}
            shown |= {"is_ultra_restricted": self.is_ultra_restricted}
        if locale and not self.deleted:
            shown["locale"] = self.locale
        if self.is_stranger:
            shown["is_stranger"] = True
        if self.enterprise_id:
            teams = self.enterprise_teams
            shown["enterprise_user"] = {"enterprise_id": self.enterprise_id, "teams": teams}
        return shown


@dataclass
class UserGroup:
    """A user group, known to people by its handle."""

    id: str
    handle: str
    users: list[str]
    disabled: bool = False

    def as_json(self, *, users: bool = False) -> dict[str, object]:
        shown: dict[str, object] = {
            "id": self.id,
            "team_id": TEAM,
            "is_usergroup": True,
            "name": self.handle.replace("-", " ").title(),
            "handle": self.handle,
            "date_delete": 1_760_000_000 if self.disabled else 0,
            "user_count": len(self.users),
        }
        return shown | ({"users": list(self.users)} if users else {})


@dataclass
class Channel:
    """A channel, or the direct messages between the app and one person (`is_im`)."""

    id: str
    name: str
    members: list[str]
    is_private: bool = False
    is_archived: bool = False
    is_ext_shared: bool = False
    is_org_shared: bool = False
    is_im: bool = False

    def as_json(self) -> dict[str, object]:
        if self.is_im:
            return {"id": self.id, "is_im": True, "user": self.members[0], "is_archived": False}
        return {
            "id": self.id,
            "name": self.name,
            "name_normalized": self.name,
            "is_channel": not self.is_private,
            "is_group": self.is_private,
            "is_im": False,
            "is_mpim": False,
            "is_private": self.is_private,
            "is_archived": self.is_archived,
            "is_general": False,
            "is_member": BOT_USER in self.members,
            "is_shared": self.is_ext_shared or self.is_org_shared,
            "is_ext_shared": self.is_ext_shared,
            "is_org_shared": self.is_org_shared,
            "context_team_id": TEAM,
            "creator": CAROL,
            "created": 1_760_000_000,
        }


def some_users() -> dict[str, User]:
    """Return one account of every kind that a decision about people must tell apart."""
    users = (
        User(ALICE, "alice"),
        User(BOB, "bob"),
        User(CAROL, "carol", is_admin=True, is_owner=True),
        User(DAVE, "dave"),
        User(MEI, "mei", tz="Asia/Shanghai", locale="zh-CN"),
        User(FORMER, "former", deleted=True),
        User(ROBOT, "robot", is_bot=True),
        User(GUEST, "guest", is_restricted=True),
        User(SINGLE_GUEST, "single-guest", is_restricted=True, is_ultra_restricted=True),
        User(STRANGER, "stranger", team_id=OTHER_TEAM, is_stranger=True),
        User(BOT_USER, "keyturn", is_bot=True),
        User(SLACKBOT, "slackbot"),  # Slack's own users.info says is_bot: false for it
    )
    return {user.id: user for user in users}


def some_groups() -> dict[str, UserGroup]:
    """Return the reviewers, among them some who must not count, and the developers."""
    odd = [FORMER, ROBOT, GUEST, SINGLE_GUEST, STRANGER]
    groups = (
        UserGroup(REVIEWERS, "rollback-reviewers", [ALICE, BOB, CAROL, *odd]),
        UserGroup(DEVELOPERS, "workflow-developers", [ALICE, BOB, CAROL, DAVE]),
    )
    return {group.id: group for group in groups}


def some_channels() -> dict[str, Channel]:
    """Return the incident channel, one shared with strangers, one without the bot, an old one."""
    everyone = [user for user in some_users() if user not in {STRANGER, SLACKBOT}]
    channels = (
        Channel(INCIDENTS, "incidents", list(everyone)),
        Channel(SHARED, "with-partners", [*everyone, STRANGER], is_ext_shared=True),
        Channel(ELSEWHERE, "elsewhere", [ALICE, DAVE]),
        Channel(ARCHIVED, "last-year", list(everyone), is_archived=True),
    )
    return {channel.id: channel for channel in channels}
