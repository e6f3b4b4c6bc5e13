"""What differs between Dify releases, in one place. Known today: 1.14.2.

The version is the `X-Version` header of every answer. Rules: a login's password is base64 from
1.11.2 on; `[__HIDDEN__]` keeps a secret by the variable's id; masks are 20 stars from 1.8.1 on.
"""

from __future__ import annotations

import base64

API = "/console/api"
HIDDEN = "[__HIDDEN__]"

COOKIE_PREFIXES = ("__Host-", "")  # the first one behind https without a cookie domain

NO_DRAFT = "draft_workflow_not_exist"  # 404 from 1.14, 400 before
DRAFT_MOVED = "draft_workflow_not_sync"  # 409 from 1.12, 400 before
LOCKED = "email_code_login_limit"
NO_VERSION = frozenset({"unknown", "invalid_param"})  # export of an unknown id: 500, before 400


def wire_password(password: str) -> str:
    """Return *password* as a login sends it."""
    return base64.b64encode(password.encode()).decode()
