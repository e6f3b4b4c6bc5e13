"""Codes with which Slack refuses a call, by what follows from them."""

from __future__ import annotations

from typing import Final

# A message cannot be changed where it stands: https://docs.slack.dev/reference/methods/chat.update
CANNOT_EDIT: Final = frozenset({"message_not_found", "edit_window_closed", "cant_update_message"})
# A mistake in the channel or in the app's rights, which somebody will mend: the same call works
# then. https://docs.slack.dev/reference/methods/chat.postMessage
TO_MEND: Final = frozenset(
    {"not_in_channel", "channel_not_found", "is_archived", "missing_scope", "no_permission"}
    | {"access_denied", "not_allowed_token_type", "team_access_not_granted", "restricted_action"}
    | {"restricted_action_read_only_channel", "restricted_action_non_threadable_channel"}
    | {"ekm_access_denied", "enterprise_is_restricted"}
)
