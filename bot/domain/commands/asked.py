"""What can be asked for after `/rollback`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from store.records import AppEnv

PAUSE_MIN: Final = 4 * 60  # where nobody says how long
SILENCE_MIN: Final = 30  # where nobody says how long


@dataclass(frozen=True)
class Help:
    """Say what can be asked."""


@dataclass(frozen=True)
class Choose:
    """Let an app and a version be chosen in a dialog."""


@dataclass(frozen=True)
class Status:
    """Say what is live and which rollbacks are open."""


@dataclass(frozen=True)
class Jobs:
    """Say what runs by the clock, and how it fares."""


@dataclass(frozen=True)
class To:
    """Ask for a rollback of *where* to its version *number*, because of *reason*.

    *also* are further apps with their versions (numbers or tags), all or none of which go back;
    *together* asks for those that *where* depends on, as they were then.
    """

    where: AppEnv
    number: int
    reason: str = ""
    also: tuple[tuple[AppEnv, int | str], ...] = ()
    together: bool = False


@dataclass(frozen=True)
class ToTag:
    """Ask for a rollback of *where* to the version that has the tag *name*; see `To`."""

    where: AppEnv
    name: str
    reason: str = ""
    also: tuple[tuple[AppEnv, int | str], ...] = ()
    together: bool = False


@dataclass(frozen=True)
class Undo:
    """Ask to undo the newest rollback of *where* that was carried out, because of *reason*."""

    where: AppEnv
    reason: str


@dataclass(frozen=True)
class DryRun:
    """Do everything but the write of a rollback of *where* to *version*, a number or a tag."""

    where: AppEnv
    version: int | str


@dataclass(frozen=True)
class Tags:
    """Tell which tags *where* has."""

    where: AppEnv


@dataclass(frozen=True)
class Tag:
    """Let the tag *name* stand on *version*: a number, another tag, or None for what is live."""

    where: AppEnv
    version: int | str | None
    name: str


@dataclass(frozen=True)
class Untag:
    """Take the tag *name* of *where* away."""

    where: AppEnv
    name: str


@dataclass(frozen=True)
class Condemn:
    """Let the content of *version*, a number or a tag, not be suggested again, by *reason*."""

    where: AppEnv
    version: int | str
    reason: str


@dataclass(frozen=True)
class Absolve:
    """Let the content of *version* be suggested again, by *reason*."""

    where: AppEnv
    version: int | str
    reason: str


@dataclass(frozen=True)
class Log:
    """Tell the history of *where*; page 1 has the newest versions."""

    where: AppEnv
    page: int = 1


@dataclass(frozen=True)
class Diff:
    """Show what differs from *old* to *new*: numbers, tags, or None for what is live."""

    where: AppEnv
    old: int | str | None
    new: int | str | None = None
    page: int = 1


@dataclass(frozen=True)
class Record:
    """Give the link to the whole record of a rollback of *where*; None is the newest one."""

    where: AppEnv
    rollback: int | None = None


@dataclass(frozen=True)
class Take:
    """Take a snapshot of *where*; None is all that the person may see."""

    where: AppEnv | None = None


@dataclass(frozen=True)
class TakeBack:
    """Take the person's own vote on the open rollback of *where* back."""

    where: AppEnv


@dataclass(frozen=True)
class Withdraw:
    """Withdraw the open rollback of *where* that the person asked for."""

    where: AppEnv


@dataclass(frozen=True)
class BreakGlass:
    """Start the open rollback of *where* alone, because of *reason*."""

    where: AppEnv
    reason: str


@dataclass(frozen=True)
class Review:
    """Sign the open review of what ran by break-glass in *where*, with a *remark*."""

    where: AppEnv
    remark: str = ""


@dataclass(frozen=True)
class Audit:
    """Tell what the audit chain says of *where*; page 1 has the newest entries."""

    where: AppEnv
    page: int = 1


@dataclass(frozen=True)
class Pause:
    """Let Keyturn suggest nothing for *minutes*; *where* None is all that they may ask for."""

    where: AppEnv | None = None
    minutes: int = PAUSE_MIN
    reason: str = ""


@dataclass(frozen=True)
class Resume:
    """Let Keyturn suggest again; *where* None is all that the person may ask for."""

    where: AppEnv | None = None


@dataclass(frozen=True)
class Silence:
    """Let alerts of *where* be silenced in Alertmanager for *minutes*; 0 ends it."""

    where: AppEnv
    minutes: int = SILENCE_MIN
    reason: str = ""


@dataclass(frozen=True)
class Drill:
    """Begin a drill in *where*; None is the only drill app that the person may ask in."""

    where: AppEnv | None = None


@dataclass(frozen=True)
class Who:
    """Say who may vote, ask and see in the environment of *where*."""

    where: AppEnv


# What names an app.
OfOne = BreakGlass | Review | TakeBack | Withdraw  # a person's own word on what is open
Judging = Condemn | Absolve
Naming = Tags | Tag | Untag
Suggesting = Pause | Resume
Alerting = Silence | Drill
Reading = DryRun | Log | Diff | Audit | Who | Record
Named = To | ToTag | Undo | OfOne | Naming | Judging | Suggesting | Reading | Take | Alerting
Command = Choose | Help | Status | Jobs | Named
