"""Where people are: Slack, and who they are elsewhere."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from bot.config import fields
from bot.config.settings import SlackMode
from bot.config.tables.base import Table


class SlackTable(Table):
    """`[slack]`."""

    channel: fields.Channel | None = Field(
        default=None, description="Channel id for the cards of apps that name none of their own"
    )
    sre_channel: fields.Channel | None = Field(
        default=None,
        description="Channel id for changes of core parameters (`app.NAME.core`). Default: nobody "
        "is told",
    )
    team: fields.Team | None = Field(
        default=None,
        description="Workspace id; clicks from elsewhere are refused. Default: the token's own",
    )
    mode: SlackMode | None = Field(
        default=None,
        description="How Slack comes in: `http` or `socket`. Default: `socket` when only "
        "`SLACK_APP_TOKEN` is set, else `http`",
    )
    templates: str | None = Field(
        default=None,
        min_length=1,
        description="Folder with templates of your own in place of Keyturn's, from here; "
        "`keyturn templates` writes Keyturn's out to begin with",
    )
    language: Literal["en", "zh-Hans"] = Field(
        default="en",
        description="What all read: cards, threads and notices. What only one person reads is in "
        "the language of their Slack, where Keyturn speaks it",
    )
    direct: bool = Field(
        default=True,
        description="Tell those who may vote by a direct message too; each may turn theirs off on "
        "App Home",
    )
    direct_every: fields.PositiveDuration = Field(
        default=timedelta(minutes=10),
        description="A person gets no more than one in this time; what waits meanwhile is in it",
    )
    quiet: list[fields.TimeWindow] = Field(
        default_factory=list,
        description="When nobody gets one, on each person's own clock, in the form of "
        "`policy.ENV.quiet`; an escalation to `backups` goes through it",
    )


class PeopleTable(Table):
    """`[people]`."""

    aliases: dict[fields.Account, Annotated[str, Field(min_length=1, max_length=80)]] = Field(
        default_factory=dict,
        description='Accounts of one person, who has one vote: `{ U0ALICE1 = "alice", … }`',
    )
    authors: dict[fields.Email, fields.Account] = Field(
        default_factory=dict,
        description='Who the accounts in Dify are: `{ "alice@example.com" = "U0ALICE1" }`; '
        "for `exclude_publisher`",
    )
