"""What a look at a Dify tells about it and about us."""

from __future__ import annotations

from dataclasses import dataclass

EDITORS = frozenset({"owner", "admin", "editor"})


@dataclass(frozen=True)
class Examined:
    """Who Keyturn is in a Dify; `version` is "" when the server names none.

    `role` is Dify's word; `limitations` are sentences about this release, the gravest first.
    With the admin key the account is the workspace's owner.
    """

    version: str
    email: str
    role: str
    workspace_id: str
    workspace: str
    limitations: tuple[str, ...]

    @property
    def may_edit(self) -> bool:
        """True if the role can list versions, save a draft and publish."""
        return self.role in EDITORS
