"""Says whether the contract was held against a real server, or only against its likenesses."""

from __future__ import annotations

import pytest

from tests.contract.target.conftest import REAL


def test_the_contract_was_held_by_a_real_dify() -> None:
    if not all(REAL):
        pytest.skip("KEYTURN_CONTRACT_DIFY_URL, _EMAIL and _PASSWORD name no real Dify")
