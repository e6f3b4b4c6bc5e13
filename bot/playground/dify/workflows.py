"""One workflow document as Dify stores it, and its hash."""

from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from bot.playground.dify.releases import NEWEST, Release
from bot.playground.dify.variables import Variable

DRAFT = "draft"


@dataclass
class Account:
    """Somebody who can log in."""

    email: str
    name: str
    password: str
    role: str = "editor"
    id: str = field(default_factory=lambda: str(uuid4()))
    created_at: datetime | None = None
    last_login_at: datetime | None = None

    @property
    def may_edit(self) -> bool:
        return self.role in {"owner", "admin", "editor"}

    def shown(self) -> dict[str, str]:
        return {"id": self.id, "name": self.name, "email": self.email}


@dataclass
class Workflow:
    """The draft (`version` is "draft") or one published version."""

    graph: dict[str, Any]
    features: dict[str, Any]
    environment_variables: tuple[Variable, ...]
    conversation_variables: tuple[Variable, ...]
    created_by: Account
    created_at: datetime
    updated_at: datetime
    version: str = DRAFT
    updated_by: Account | None = None
    marked_name: str = ""
    marked_comment: str = ""
    release: Release = NEWEST
    id: str = field(default_factory=lambda: str(uuid4()))

    @property
    def is_draft(self) -> bool:
        return self.version == DRAFT

    @property
    def hash(self) -> str:
        """From 1.14.0 on over the graph alone; the text "None" is Dify's own salt."""
        content = {"graph": self.graph}
        if self.release.hash_covers_features:
            content["features"] = self.features
        text = json.dumps(content, sort_keys=True) + "None"
        return hashlib.sha256(text.encode()).hexdigest()

    def take_over(self, other: Workflow) -> None:
        """Become *other* in all that a restore or publish copies."""
        self.graph = copy.deepcopy(other.graph)
        self.features = copy.deepcopy(other.features)
        self.environment_variables = other.environment_variables
        self.conversation_variables = other.conversation_variables

    def shown(self) -> dict[str, Any]:
        """The workflow object of the console API."""
        shown = {
            "id": self.id,
            "graph": self.graph,
            "features": self.features,
            "hash": self.hash,
            "version": self.version,
            "marked_name": self.marked_name,
            "marked_comment": self.marked_comment,
            "created_by": self.created_by.shown(),
            "created_at": seconds(self.created_at),
            "updated_by": self.updated_by.shown() if self.updated_by else None,
            "updated_at": seconds(self.updated_at),
            "tool_published": False,
            "environment_variables": [
                v.shown(masks_wholly=self.release.masks_wholly) for v in self.environment_variables
            ],
            "conversation_variables": [v.shown() for v in self.conversation_variables],
        }
        return shown | ({"rag_pipeline_variables": []} if self.release.rag_variables else {})

    def brief(self) -> dict[str, Any]:
        """As it stands inside an app's detail."""
        return {
            "id": self.id,
            "created_by": self.created_by.id,
            "created_at": seconds(self.created_at),
            "updated_by": self.updated_by.id if self.updated_by else None,
            "updated_at": seconds(self.updated_at),
        }


def nothing(release: Release) -> dict[str, Any]:
    """The workflow object of nulls that stands for none on old releases."""
    names = (
        *("id", "graph", "features", "hash", "version", "marked_name", "marked_comment"),
        *("created_at", "updated_by", "updated_at", "tool_published"),
        *("environment_variables", "conversation_variables"),
        *(("rag_pipeline_variables",) if release.rag_variables else ()),
    )
    nobody = {"id": None, "name": None, "email": None}
    return {**dict.fromkeys(names), "created_by": nobody}


def seconds(at: datetime) -> int:
    """Whole seconds since the epoch."""
    return int(at.timestamp())
