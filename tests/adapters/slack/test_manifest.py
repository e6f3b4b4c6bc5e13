"""The manifest that people paste into Slack is the app that the code expects."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from bot.adapters.slack.door import PATH
from bot.adapters.slack.listeners import COMMAND
from tests.adapters.slack.conftest import MANIFEST


@pytest.fixture
def manifest() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(MANIFEST.read_text())
    return loaded


def test_the_scopes_are_those_that_the_calls_need_and_no_more(manifest_scopes: set[str]) -> None:
    posting, people = {"chat:write", "files:write"}, {"users:read", "usergroups:read"}
    channels = {"channels:read", "groups:read"}  # public and private: is it shared?

    assert manifest_scopes == posting | people | channels | {"commands"}


def test_every_address_is_our_one_door(manifest: dict[str, Any]) -> None:
    (command,) = manifest["features"]["slash_commands"]
    settings = manifest["settings"]
    interactivity = settings["interactivity"]
    addresses = {command["url"], interactivity["request_url"]}
    addresses |= {interactivity["message_menu_options_url"]}
    addresses |= {settings["event_subscriptions"]["request_url"]}

    assert addresses == {f"https://keyturn.example.com{PATH}"}


def test_the_command_is_the_one_that_is_listened_for(manifest: dict[str, Any]) -> None:
    (command,) = manifest["features"]["slash_commands"]

    assert command["command"] == COMMAND
    assert command["should_escape"] is False  # what was typed is kept as it was typed


def test_the_home_tab_is_there_and_its_opening_is_told(manifest: dict[str, Any]) -> None:
    tabs = ("home_tab_enabled", "messages_tab_enabled", "messages_tab_read_only_enabled")
    assert manifest["features"]["app_home"] == dict.fromkeys(tabs, True)
    assert manifest["settings"]["event_subscriptions"]["bot_events"] == ["app_home_opened"]


def test_slack_comes_in_by_http(manifest: dict[str, Any]) -> None:
    assert manifest["settings"]["interactivity"]["is_enabled"]
    assert not manifest["settings"]["socket_mode_enabled"]
    assert not manifest["settings"]["token_rotation_enabled"]  # there is no one to rotate it


def test_the_app_of_socket_mode_is_the_same_but_for_the_addresses(manifest: dict[str, Any]) -> None:
    socket = yaml.safe_load(MANIFEST.with_name("slack-manifest-socket.yaml").read_text())
    (command,) = manifest["features"]["slash_commands"]
    del command["url"], manifest["settings"]["interactivity"]["request_url"]
    del manifest["settings"]["interactivity"]["message_menu_options_url"]
    del manifest["settings"]["event_subscriptions"]["request_url"]
    manifest["settings"]["socket_mode_enabled"] = True

    assert socket == manifest
