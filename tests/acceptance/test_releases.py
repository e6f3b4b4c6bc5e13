"""The main job against every release of Dify that was observed, each as it was recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from bot.cli.service import DifyRelease
from bot.demo.headless import tell
from bot.demo.stage import WHERE, set_up
from bot.playground.dify.releases import RELEASES
from bot.playground.dify.workflows import Workflow
from bot.playground.slack import people

KEPT = "keeps the value that is live now"
OF_THE_DRAFT = "takes the value of the editors' draft"


def _secrets_of(workflow: Workflow | None) -> list[str]:
    assert workflow is not None
    return [v.value for v in workflow.environment_variables if v.secret]


def test_the_command_line_knows_every_release() -> None:
    assert set(get_args(DifyRelease)) == set(RELEASES)


@pytest.mark.parametrize("version", RELEASES)
async def test_two_keys_take_any_release_back_and_keep_work_and_secret(
    version: str, tmp_path: Path
) -> None:
    before_any_vote: list[str] = []
    async with set_up(tmp_path, dify_version=version) as stage:
        [secret] = _secrets_of(stage.dify.state.live(WHERE.app))

        def say(line: str) -> None:
            if line.startswith("a card stands"):
                cards = stage.slack.state.messages(people.INCIDENTS)
                before_any_vote.append(json.dumps([card.blocks for card in cards]))

        report = await tell(stage, say)

        assert report.status == "completed"
        assert report.unpublished_work_kept
        assert _secrets_of(stage.dify.state.live(WHERE.app)) == [secret]
        assert _secrets_of(stage.dify.state.draft(WHERE.app)) == [secret]
    [card] = before_any_vote
    assert (OF_THE_DRAFT in card) is (version == "1.7.2")
    assert (KEPT in card) is (version != "1.7.2")
    assert "0 of 2" in card
