"""Who has to agree."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from bot.config import fields
from bot.config.tables.base import Criticality, Table

Risk = Criticality  # the same words; docs/decisions/0033-impact-and-risk.md


class PolicyTable(Table):
    """`[policy.ENV]`."""

    votes: int = Field(
        default=2,
        ge=0,
        le=20,
        description="How many different people must approve; `0`: who may ask needs nobody, and "
        "what an alert suggests needs one",
    )
    votes_by_criticality: dict[Criticality, Annotated[int, Field(ge=1, le=20)]] = Field(
        default_factory=dict,
        description="More votes for apps that matter more: `{ critical = 3 }`; never fewer",
    )
    votes_by_risk: dict[Risk, Annotated[int, Field(ge=1, le=20)]] = Field(
        default_factory=dict,
        description="More votes for rollbacks of so high a risk or a higher one: `{ high = 3 }`; "
        "never fewer",
    )
    reviewers: list[fields.Who] = Field(
        default_factory=list,
        description="Who may vote: ids of people (`U…`) and user groups (`S…`)",
    )
    each_of: list[fields.Who] = Field(
        default_factory=list,
        description="Of each of these one must approve, another person each: "
        '`["S0SRE", "S0OWNERS"]`; they may vote like reviewers',
    )
    backups: list[fields.Who] = Field(
        default_factory=list,
        description="May vote too, and are called when the others have not by `escalate_after`",
    )
    vetoes: int = Field(default=1, ge=1, le=20, description="How many rejects end a rollback")
    exclude_publisher: bool = Field(
        default=False,
        description="Who published what is live may not vote; `[people] authors` says who that "
        "is in Slack, and nobody may vote on what somebody else published",
    )
    withdraw_recovered: bool = Field(
        default=False,
        description="Withdraw what an alert suggested while it waits for votes, once its alerts "
        "have ended and the metrics that showed the trouble are back at their usual; without "
        "`[prometheus]` it stays",
    )
    requesters: list[fields.Who] = Field(
        default_factory=list, description="Who may ask for a rollback, beside those who may vote"
    )
    viewers: list[fields.Who] = Field(
        default_factory=list, description="Who may see, beside those who may vote or ask"
    )
    open_for: fields.PositiveDuration = Field(
        default=timedelta(minutes=30), description="How long a rollback waits for its votes"
    )
    remind_after: fields.PositiveDuration | None = Field(
        default=None,
        description="When those who may vote are reminded. Default: half of `open_for`",
    )
    escalate_after: fields.PositiveDuration | None = Field(
        default=None, description="When `backups` are called. Default: three quarters of `open_for`"
    )
    most_suggested: int = Field(
        default=2,
        ge=1,
        le=100,
        description="After so many rollbacks of an app within `cool_down` no other is suggested; "
        "people may still ask",
    )
    cool_down: fields.PositiveDuration = Field(
        default=timedelta(hours=6), description="How long a rollback counts for `most_suggested`"
    )
    freeze: list[fields.TimeWindow] = Field(
        default_factory=list,
        description="When nothing is rolled back: `fri 16:00-24:00`, `22:00-07:00`, "
        "`2026-12-20/2027-01-02` (with its last day)",
    )
    quiet: list[fields.TimeWindow] = Field(
        default_factory=list, description="When nobody is reminded or called, in the same form"
    )
    timezone: fields.TimeZone = Field(
        default="UTC", description="The clock of `freeze` and `quiet`, such as `Europe/Berlin`"
    )
    break_glass: list[fields.Who] = Field(
        default_factory=list,
        description="Who may start a rollback alone, with a written reason and a review by two "
        "others afterwards: people and user groups; they may ask and see too. Default: nobody",
    )
    protected_tags: list[fields.TagName] = Field(
        default_factory=list,
        description="Tags that only reviewers move or remove; others are free to requesters too",
    )
