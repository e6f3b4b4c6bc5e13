"""What the releases that the local Dify can be did differently, all in one table.

Each value was observed on a real server of that release.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

_BAD_LOGIN = "authentication_failed"


@dataclass(frozen=True)
class Release:
    """One release's behaviour; the defaults are those of 1.14.2."""

    version: str
    dsl: str
    bearer: bool = False  # tokens in the login's body instead of cookies with a CSRF header
    encoded_password: bool = True
    admin_key_works: bool = True  # else it dies at the CSRF check, but for the draft's routes
    wrong_password: tuple[int, str, str] = (401, _BAD_LOGIN, "Invalid email or password.")
    no_draft_status: int = 404
    stale_draft_status: int = 409
    null_before_publish: bool = True  # else an object of nulls
    hash_covers_features: bool = False
    masks_wholly: bool = True  # else the first six and the last two characters show
    takes_masks_back: bool = True  # else a mask that is sent back is stored as the secret
    exports_versions: bool = True  # else the draft, whatever is asked for
    unknown_export: tuple[int, str, str] = (500, "unknown", "Internal Server Error")
    restores: bool = True
    publish_needs_json: bool = True
    explains_length: bool = False  # a sentence of its own for a name that is too long
    empty_patch_says_why: bool = True  # else an object of nulls
    versions_a_page: int = 10
    rag_variables: bool = True
    newest_fields: bool = True  # setup_at, tracing, bound_agent_id; icon_type in an export
    draft_triggers: bool = True  # has_draft_trigger in the list of apps
    active_requests_are_counted: bool = False  # 0 instead of null in an app's detail
    names_triggers: bool = True  # what started a run, in the log of runs
    names_a_model: bool = True  # a chat app's model on a server without providers


NEWEST = Release("1.14.2", dsl="0.6.0")
_EARLIER = replace(
    NEWEST,
    encoded_password=False,
    no_draft_status=400,
    stale_draft_status=400,
    null_before_publish=False,
    hash_covers_features=True,
    takes_masks_back=False,
    restores=False,
    publish_needs_json=False,
    explains_length=True,
    empty_patch_says_why=False,
    newest_fields=False,
    names_a_model=False,
)
_1_10_1 = replace(
    _EARLIER,
    version="1.10.1",
    dsl="0.5.0",
    admin_key_works=False,
    unknown_export=(400, "invalid_param", "Missing draft workflow configuration, please check."),
)
_1_7_2 = replace(
    _EARLIER,
    version="1.7.2",
    dsl="0.3.1",
    bearer=True,
    wrong_password=(400, "email_or_password_mismatch", "The email or password is mismatched."),
    masks_wholly=False,
    exports_versions=False,
    versions_a_page=20,
    rag_variables=False,
    draft_triggers=False,
    names_triggers=False,
    active_requests_are_counted=True,
)
RELEASES = {release.version: release for release in (NEWEST, _1_10_1, _1_7_2)}
