"""Two replicas with one account: each has tokens of its own, and neither is put out for good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from bot.adapters.dify.client import DifyTarget
from tests.adapters.dify.conftest import BOT, Dify

LIMIT_S = 30.0


@dataclass
class Two:
    """Two replicas that are logged in, and the Dify that they share."""

    dify: Dify
    one: DifyTarget
    other: DifyTarget

    async def call_at_once(self) -> None:
        """Let both read the draft at the same moment; each must get it."""
        async with asyncio.timeout(LIMIT_S):
            drafts = await asyncio.gather(*(r.draft(self.dify.app_id) for r in self.replicas))
        assert all(draft is not None for draft in drafts)

    async def publish_at_once(self) -> None:
        async with asyncio.timeout(LIMIT_S):
            await asyncio.gather(
                *(
                    replica.publish(self.dify.app_id, name=f"by {n}", comment="")
                    for n, replica in enumerate(self.replicas)
                )
            )

    @property
    def replicas(self) -> tuple[DifyTarget, DifyTarget]:
        return self.one, self.other

    @property
    def calls(self) -> tuple[int, int]:
        """How often both together refreshed and logged in."""
        return self.dify.faults.count("refresh"), self.dify.faults.count("login")

    def let_them_meet(self) -> None:
        """Answer no refresh before both have asked for one."""
        both = asyncio.Barrier(2)
        for _ in self.replicas:
            self.dify.faults.before("refresh", both.wait)

    def share_tokens(self) -> None:
        """Let both hold the very same tokens, as if somebody had copied a session."""
        self.other._session._tokens = self.one._session._tokens


@pytest.fixture
async def two(dify: Dify) -> AsyncIterator[Two]:
    other = dify.another_target()
    both = Two(dify, dify.target, other)
    await both.call_at_once()
    yield both
    await other.close()


async def test_both_refresh_at_once_and_go_on(two: Two) -> None:
    for _ in range(3):  # with the rotated tokens, too
        two.dify.state.auth.expire_access_tokens()
        two.let_them_meet()
        await two.call_at_once()

    assert two.calls == (6, 2)


async def test_both_write_with_expired_tokens_and_each_write_is_made_once(two: Two) -> None:
    before = len(two.dify.state.versions(two.dify.app_id))
    two.dify.state.auth.expire_access_tokens()
    two.let_them_meet()

    await two.publish_at_once()

    names = [version.marked_name for version in two.dify.state.versions(two.dify.app_id)]
    assert len(names) == before + 2
    assert {"by 0", "by 1"} <= set(names)


async def test_of_two_with_one_refresh_token_the_loser_logs_in_again(two: Two) -> None:
    two.share_tokens()
    two.dify.state.auth.expire_access_tokens()
    two.let_them_meet()

    await two.call_at_once()
    assert two.calls == (2, 3)

    two.dify.state.auth.expire_access_tokens()
    await two.call_at_once()
    assert two.calls == (4, 3)  # each has tokens of its own now
    assert BOT not in two.dify.state.auth.bad_logins


async def test_where_a_login_ends_every_other_session_both_still_go_on(two: Two) -> None:
    """No release is known to do so; then each call costs a login at most, and none is refused."""
    auth = two.dify.state.auth
    two.dify.faults.before("login", auth.expire_access_tokens, always=True)
    two.dify.faults.before("login", auth.forget_refresh_tokens, always=True)
    auth.expire_access_tokens()
    auth.forget_refresh_tokens()

    for _ in range(5):
        for replica in two.replicas:
            assert await replica.draft(two.dify.app_id) is not None

    assert two.calls[1] <= 2 + 10
    assert BOT not in auth.bad_logins
