"""What is mutated, with which tests: those that are quick and say the rules of these files.

mutmut notes which test runs through which function, and plays for a mutant only those.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Module:
    """Files of the product and the tests that hold them; a part of them, if *sample* says so."""

    files: tuple[str, ...]
    tests: tuple[str, ...]
    sample: tuple[str, ...] = ()  # mutants as mutmut names them; * stands for anything


def _domain(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/unit/domain/test_{name}.py" for name in names)


def _services(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/unit/services/test_{name}.py" for name in names)


MODULES: Mapping[str, Module] = {
    "approval": Module(
        files=("bot/domain/approval.py", "bot/domain/quorum.py"),
        tests=_domain("approval", "approval_machine", "quorum"),
    ),
    "glass": Module(files=("bot/domain/glass.py",), tests=_domain("glass")),
    "legs": Module(files=("bot/domain/legs.py",), tests=_domain("legs")),
    "policy": Module(
        files=("bot/domain/policy.py", "bot/domain/windows.py"),
        tests=_domain("policy", "windows"),
    ),
    "audit": Module(
        files=("store/audit.py", "store/chain.py"),
        tests=(
            "tests/unit/store/test_audit_chain.py",
            "tests/contract/store/test_audit.py",
            "tests/contract/store/test_record_reads.py",
        ),
    ),
    "execute": Module(
        files=tuple(
            f"bot/services/{name}.py" for name in ("execute", "claim", "take_over", "mandate")
        ),
        tests=_services(
            *("execute_claim", "take_over", "policies", "break_glass", "points"),
            *("drill", "write_config"),
        ),
    ),
    "carry_out": Module(
        files=tuple(f"bot/services/{name}.py" for name in ("carry_out", "stepping", "progress")),
        tests=_services(
            *("carry_out", "carry_out_edits", "carry_out_failures", "carry_out_secrets"),
            *("sealed_draft", "joint", "points"),
        ),
    ),
    "write_config": Module(
        files=("bot/services/write_config.py",), tests=_services("write_config", "points")
    ),
    "settle": Module(
        files=("bot/services/settle.py", "bot/services/condemning.py"),
        tests=_services(
            *("settle", "carry_out", "execute_claim", "recover", "joint"),
            *("break_glass", "sealed_draft", "drill"),
        ),
    ),
    "lease": Module(files=("bot/services/lease.py",), tests=_services("lease")),
}

# Who may vote, what counts, and what breaks the chain; without the types, which take longest.
QUICK = Module(
    files=(
        "bot/domain/approval.py",
        "bot/domain/policy.py",
        "bot/domain/quorum.py",
        "store/chain.py",
    ),
    tests=(*_domain("approval", "policy", "quorum"), "tests/unit/store/test_audit_chain.py"),
    sample=(
        "bot.domain.approval.x__is_current__*",
        "bot.domain.approval.x__may_vote__*",
        "bot.domain.policy.x__no_member_of__*",
        "bot.domain.policy.x_why_not__*",
        "bot.domain.quorum.x__counted__*",
        "bot.domain.quorum.x_reached__*",
        "store.chain.x_flaw__*",
    ),
)
