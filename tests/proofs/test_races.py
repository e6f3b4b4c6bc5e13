"""Two processes race fifty times for the quorum and the execution, on each kind of database."""

from __future__ import annotations

from tests.proofs.races import QUICK, race


async def test_twenty_clicks_at_once_on_two_processes_make_one_quorum_and_one_execution(
    database_url: str,
) -> None:
    tally = await race(database_url, rounds=QUICK)

    assert not tally.broken
    assert tally.rounds == QUICK
    assert set(tally.ends) == {"COMPLETED", "REJECTED"}
    assert tally.executions == tally.ends["COMPLETED"]
