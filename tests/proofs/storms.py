"""No alert is lost, whoever is killed and whatever the database has:
`python -m tests.proofs.storms [--quick]`.

A pair of real Alertmanagers tells `keyturn serve` of a storm: ten thousand alerts of twenty apps
that begin, end and begin again, each posted to both as Prometheus does. Between them and the
service a witness notes what was acknowledged. The service is killed half a second to three seconds
after it says that it is ready, a hundred times, every other time in the moment when it has
acknowledged a delivery; once before, when Slack has its first card and it has not heard so; and
once after, in the moment when it has acknowledged an end that nobody says again, however long that
takes. While it is killed, nobody else has the database open.

In the end every alert that was acknowledged, or that Alertmanager holds, is stored, as Alertmanager
was told last; people see one card and one thread an app, and at most one card more a kill, on which
a click has no effect; two people roll back; the audit chain is whole.

Then another service is not restarted whatever its database has: a full disk, on SQLite one write in
twenty that fails, a PostgreSQL that is stopped at once. Clients are told 202 or 503 and nothing
else, what was told 202 is stored, and ten seconds later it is ready again. This needs a database of
its own, also where an address is given.
"""

from __future__ import annotations

import argparse

from tests.proofs.running import Journal, Tally, run, without
from tests.proofs.storm import faults, kills
from tests.proofs.storm.pair import program


async def prove(url: str, asked: argparse.Namespace, journal: Journal) -> Tally:
    """Play what is left behind the parts before, on the migrated database at *url*."""
    alertmanager = program()
    if alertmanager is None:
        return without("prometheus-alertmanager")
    tally = Tally()
    size = kills.QUICK if asked.quick else kills.FULL
    await kills.play(
        url,
        alertmanager,
        size,
        kills=size.kills - journal.before,
        seed=f"{asked.seed}.{journal.before}",
        tally=tally,
        ends_at=journal.ends_at,
    )
    tally.left = size.kills - journal.before - tally.cases
    rounds = faults.QUICK if asked.quick or tally.left else faults.ROUNDS
    kind = "sqlite" if url.startswith("sqlite") else "postgres"
    recovered_s = faults.BUSY_S if asked.quick else faults.RECOVERED_S
    await faults.play(
        kind, rounds=rounds, seed=str(asked.seed), tally=tally, recovered_s=recovered_s
    )
    return tally


if __name__ == "__main__":
    raise SystemExit(run("storms", __doc__ or "", prove, together=True, in_parts=True))
