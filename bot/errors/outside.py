"""What others do not do for us."""

from __future__ import annotations

from bot.errors.base import BotError


class UpstreamDown(BotError):
    """An outside system did not answer, or answered that it cannot now; nothing was applied."""

    retryable = True
    user_message = "An outside system does not answer at the moment; Keyturn tries again."

    def __init__(self, system: str, detail: str) -> None:
        super().__init__(f"{system}: {detail}")
        self.system = system


class TokenRefused(UpstreamDown):
    """Our token is not taken; with the right one the same call works."""


class Ambiguous(UpstreamDown):
    """A write may or may not have been applied: read before doing anything else."""


class UpstreamRefused(BotError):
    """An outside system understood and said no; trying the same again will not help."""

    user_message = "An outside system refused the request; the operators have been told."

    def __init__(self, system: str, detail: str, upstream_code: str = "") -> None:
        super().__init__(f"{system}: {detail}")
        self.system = system
        self.upstream_code = upstream_code


class LoginRefused(UpstreamRefused):
    """Wrong account or password. Never tried again on its own: the seventh locks the account."""


class AdminKeyUnusable(LoginRefused):
    """The release takes no admin key, whatever its value: an account is needed."""

    user_message = "This release of Dify takes no admin key; the operators must name an account."


class TargetTooOld(UpstreamRefused):
    """The release lacks what Keyturn cannot do without."""

    user_message = "This release of Dify keeps no list of versions; it must be updated first."


class NoSuchApp(UpstreamRefused):
    """The app's id is not in the workspace of our account: another workspace, or deleted."""

    user_message = (
        "Dify has no app of this id in the workspace of Keyturn's account. Compare the `id` in "
        "the configuration with the app's address, and the account's workspace with the app's."
    )


class AccountLocked(UpstreamRefused):
    """Too many bad logins: Dify has locked the account for a day."""


class DraftMoved(UpstreamRefused):
    """Somebody saved the draft since it was read; nothing was written."""


class LiveMoved(UpstreamRefused):
    """Somebody saved what is live since it was read; nothing was written."""


class WouldWriteMask(UpstreamRefused):
    """What was to be written, or would be lost, has masked values; nothing was written."""


class AnswerUnreadable(UpstreamRefused):
    """The outside system answered something that is not of its documented form."""


class NoSuchVersion(UpstreamRefused):
    """The outside system has no such version (deleted?)."""


class Throttled(UpstreamDown):
    """Slack asked to wait `retry_after_s` seconds before the next call."""

    def __init__(self, system: str, retry_after_s: float) -> None:
        super().__init__(system, f"throttled for {retry_after_s:g} s")
        self.retry_after_s = retry_after_s
