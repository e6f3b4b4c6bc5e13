"""An app as Dify keeps and shows it."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_DNS, uuid4, uuid5

from bot.playground.dify import configs
from bot.playground.dify.releases import NEWEST, Release
from bot.playground.dify.runs import Run
from bot.playground.dify.workflows import Account, Workflow, seconds

_BACKGROUND = "#FFEAD5"

# What a chat app starts with on a server without model providers.
MODEL_CONFIG: dict[str, Any] = {
    "opening_statement": None,
    "suggested_questions": [],
    "suggested_questions_after_answer": {"enabled": False},
    "speech_to_text": {"enabled": False},
    "text_to_speech": {"enabled": False},
    "retriever_resource": {"enabled": True},
    "annotation_reply": {"enabled": False},
    "more_like_this": {"enabled": False},
    "sensitive_word_avoidance": {"enabled": False, "type": "", "config": {}},
    "external_data_tools": [],
    "model": {"provider": "openai", "name": "gpt-4o", "mode": "chat", "completion_params": {}},
    "user_input_form": [],
    "dataset_query_variable": None,
    "pre_prompt": None,
    "agent_mode": {"enabled": False, "strategy": None, "tools": [], "prompt": None},
    "prompt_type": "simple",
    "chat_prompt_config": {},
    "completion_prompt_config": {},
    "dataset_configs": {"retrieval_model": "multiple"},
    "file_upload": {
        "image": {
            "enabled": False,
            "number_limits": 3,
            "detail": "high",
            "transfer_methods": ["remote_url", "local_file"],
        }
    },
}


def _model_config(release: Release) -> dict[str, Any]:
    config = copy.deepcopy(MODEL_CONFIG)
    if not release.names_a_model:
        config["model"] |= {"provider": None, "name": None}
        config["sensitive_word_avoidance"] = {"enabled": False, "type": "", "configs": []}
    return config


@dataclass
class App:
    """One app. `published` is oldest first; `live_id` is empty before the first publish."""

    name: str
    mode: str
    created_by: Account
    created_at: datetime
    description: str = ""
    icon_type: str = "emoji"
    icon: str = "🤖"
    icon_background: str = _BACKGROUND
    use_icon_as_answer_icon: bool = False
    max_active_requests: int | None = None
    id: str = field(default_factory=lambda: str(uuid4()))
    site_token: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    draft: Workflow | None = None
    published: list[Workflow] = field(default_factory=list)
    live_id: str = ""
    model_config: dict[str, Any] | None = None
    updated_by: Account | None = None
    updated_at: datetime | None = None
    site: dict[str, Any] = field(default_factory=dict)
    release: Release = NEWEST
    tags: list[str] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.updated_by, self.updated_at = self.created_by, self.created_at
        if self.mode in configs.MODES:
            self.model_config = _model_config(self.release) | self._stamps()
        self.site = self._new_site()

    def save_config(self, body: Mapping[str, Any], *, by: Account, at: datetime) -> None:
        """Replace the configuration by a new row, which is live at once; the app is untouched."""
        row = configs.saved(self.mode, body, _model_config(self.release), self.model_config or {})
        stamps = {"created_by": by.id, "updated_by": by.id}
        times = {"created_at": seconds(at), "updated_at": seconds(at)}
        self.model_config = row | stamps | times

    @property
    def live(self) -> Workflow | None:
        return next((w for w in self.published if w.id == self.live_id), None)

    def workflow(self, workflow_id: str) -> Workflow | None:
        """The draft or published version of this id."""
        everything = [*self.published, *([self.draft] if self.draft else [])]
        return next((w for w in everything if w.id == workflow_id), None)

    # -- answers ------------------------------------------------------------------------------

    def created(self) -> dict[str, Any]:
        """The answer to its creation."""
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "mode": self.mode,
            "icon": self.icon,
            "icon_background": self.icon_background,
            "enable_site": True,
            "enable_api": True,
            "model_config": self.model_config,
            "workflow": self.live.brief() if self.live else None,
            "tracing": None,
            "use_icon_as_answer_icon": self.use_icon_as_answer_icon,
            **self._stamps(),
            "access_mode": None,
            "tags": self._shown_tags(),
        }

    def detail(self, base_url: str) -> dict[str, Any]:
        most = self.max_active_requests
        if most is None and self.release.active_requests_are_counted:
            most = 0
        shown = self.created() | {
            "icon_type": self.icon_type,
            "api_base_url": f"{base_url}/v1",
            "max_active_requests": most,
            "deleted_tools": [],
            "site": self.site | {"app_base_url": base_url},
            "icon_url": None,
        }
        if self.release.newest_fields:
            return shown | {"bound_agent_id": None}
        del shown["tracing"]
        return shown

    def listed(self) -> dict[str, Any]:
        """As it stands in the list of apps."""
        shown = {
            "id": self.id,
            "name": self.name,
            "max_active_requests": self.max_active_requests,
            "description": self._description_or_prompt(),
            "mode": self.mode,
            "icon_type": self.icon_type,
            "icon": self.icon,
            "icon_background": self.icon_background,
            "model_config": self._brief_config(),
            "workflow": self.live.brief() if self.live else None,
            "use_icon_as_answer_icon": self.use_icon_as_answer_icon,
            **self._stamps(),
            "tags": self._shown_tags(),
            "access_mode": None,
            "create_user_name": None,
            "author_name": self.created_by.name,
            "icon_url": None,
        }
        return shown | ({"has_draft_trigger": False} if self.release.draft_triggers else {})

    def _description_or_prompt(self) -> Any:
        if self.model_config is None or self.description:
            return self.description
        return self.model_config["pre_prompt"]

    def _brief_config(self) -> dict[str, Any] | None:
        if self.model_config is None:
            return None
        return {name: self.model_config[name] for name in ("model", "pre_prompt", *self._stamps())}

    def _shown_tags(self) -> list[dict[str, str]]:
        """Tags as they stand in every answer about an app; the id of a name stays the same."""
        return [
            {"id": str(uuid5(NAMESPACE_DNS, tag)), "name": tag, "type": "app"} for tag in self.tags
        ]

    def _stamps(self) -> dict[str, Any]:
        by, at = self.updated_by or self.created_by, self.updated_at or self.created_at
        return {
            "created_by": self.created_by.id,
            "created_at": seconds(self.created_at),
            "updated_by": by.id,
            "updated_at": seconds(at),
        }

    def _new_site(self) -> dict[str, Any]:
        """The public web page of the app; a later rename does not change it."""
        return {
            "access_token": self.site_token,
            "code": self.site_token,
            "title": self.name,
            "icon_type": self.icon_type,
            "icon": self.icon,
            "icon_background": self.icon_background,
            "description": None,
            "default_language": "en-US",
            "chat_color_theme": None,
            "chat_color_theme_inverted": False,
            "customize_domain": None,
            "copyright": None,
            "privacy_policy": None,
            "custom_disclaimer": "",
            "customize_token_strategy": "not_allow",
            "prompt_public": False,
            "show_workflow_steps": True,
            "use_icon_as_answer_icon": False,
            **self._stamps(),
            "icon_url": None,
        }
