"""What ran, as the log of an app shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from bot.playground.dify.releases import NEWEST, Release
from bot.playground.dify.workflows import seconds


@dataclass(frozen=True)
class Run:
    """One run that an app's API key started; *version* is the name of what ran."""

    version: str
    status: str
    at: datetime
    release: Release = NEWEST
    id: str = field(default_factory=lambda: str(uuid4()))
    run_id: str = field(default_factory=lambda: str(uuid4()))
    user_id: str = field(default_factory=lambda: str(uuid4()))

    def shown(self) -> dict[str, Any]:
        """The entry of the log."""
        names_triggers = self.release.names_triggers
        return {
            "id": self.id,
            "workflow_run": self._run(),
            **({"details": None} if names_triggers else {}),
            "created_from": "service-api",
            "created_by_role": "end_user",
            "created_by_account": None,
            "created_by_end_user": {
                "id": self.user_id,
                "type": "service-api" if names_triggers else "service_api",
                "is_anonymous": False,
                "session_id": "smoke",
            },
            "created_at": seconds(self.at),
        }

    def _run(self) -> dict[str, Any]:
        return {
            "id": self.run_id,
            "version": self.version,
            "status": self.status,
            **({"triggered_from": "app-run"} if self.release.names_triggers else {}),
            "error": "Run failed" if self.status == "failed" else None,
            "elapsed_time": 0.1,
            "total_tokens": 0,
            "total_steps": 2,
            "created_at": seconds(self.at),
            "finished_at": seconds(self.at),
            "exceptions_count": 0,
        }
