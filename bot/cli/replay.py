"""`keyturn replay`: how well the choice of a candidate does on recorded incidents."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Protocol

import typer

from bot.cli.numbers import span
from bot.cli.progress import progress
from bot.cli.replay_store import from_store, shares
from bot.cli.telling import DONE, WRONG_USE, end, remark, say_json, screen

if TYPE_CHECKING:
    from bot.domain.verdict.decide import Decision
    from bot.domain.verdict.recorded import Recorded
    from bot.domain.verdict.score import Count, Score
    from store.records import Json

STDIN = "-"
USUAL = timedelta(days=90)  # how far back --from-store looks
_LONGEST_LINE = 64 * 2**20  # bytes
_MEANING = {
    "precision": "of the suggestions were right",
    "recall": "were found where going back is right",
    "top1": "were decided rightly, silence included",
    "false_rollbacks": "got a suggestion where none would help",
}


class _Lines(Protocol):
    def readline(self, size: int, /) -> bytes: ...


def replay(
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE.jsonl[.gz]",
            help="Recorded incidents, one a line (`-`: standard input).",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write the figures as one JSON object.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.jsonl", help="Write each decision with its reasons."),
    ] = None,
    wrong: Annotated[
        bool, typer.Option("--wrong", help="Tell also which ones were decided wrongly, and why.")
    ] = False,
    charts: Annotated[
        Path | None,
        typer.Option(
            "--charts", metavar="FOLDER", help="Draw each one, with --wrong only those, as ID.png."
        ),
    ] = None,
    stored: Annotated[
        bool,
        typer.Option(
            "--from-store", help="Instead of FILE: what people made of your own suggestions."
        ),
    ] = False,
    since: Annotated[
        timedelta | None,
        typer.Option(parser=span, metavar="TIME", help="With --from-store: how far back [90d]."),
    ] = None,
) -> None:
    """Decide recorded incidents anew, and count what was right.

    `docs/incidents.md` tells the form of the file. Incidents without a truth are decided and not
    scored. With --from-store it tells how people answered what Keyturn suggested here, and decides
    those cases again.
    """
    if stored:
        _refuse_beside_the_store(FILE=file, out=out, charts=charts, wrong=wrong)
        from_store(since=since or USUAL, as_json=as_json)
    else:
        if since is not None:
            end(WRONG_USE, "--since goes with --from-store")
        if file is None:
            end(WRONG_USE, "name a FILE of recorded incidents, or say --from-store")
        _of_file(file, as_json=as_json, out=out, wrong=wrong, charts=charts)
    raise SystemExit(DONE)


def _refuse_beside_the_store(**given: object) -> None:
    """End where *given*, which is about a file, stands beside --from-store."""
    for name, value in given.items():
        if value:
            said = name if name == "FILE" else f"--{name}"
            end(WRONG_USE, f"{said} and --from-store exclude each other; leave one of them out")


def _of_file(
    file: str, *, as_json: bool, out: Path | None, wrong: bool, charts: Path | None
) -> None:
    from bot.domain.verdict.decide import decide
    from bot.domain.verdict.score import Score

    score = Score()
    mistakes: list[tuple[Recorded, Decision]] = []
    with ExitStack() as held:
        written = None if out is None else held.enter_context(_written(out))
        advance = held.enter_context(progress("Deciding", None))
        for number, recorded in enumerate(_records(file), start=1):
            decision = decide(recorded.incident)
            mistaken = score.add(recorded, decision.suggested) is False
            if mistaken and wrong:
                mistakes.append((recorded, decision))
            if charts is not None and (mistaken or not wrong):
                _draw(charts, recorded, decision)
            if written is not None:
                written.write(_line(recorded, decision))
            advance(number, recorded.kind)
    if as_json:
        say_json(_figures(score))
    else:
        _table(score)
        for recorded, decision in mistakes:
            _tell(recorded, decision)


# -- What is read -------------------------------------------------------------------------------


def _records(file: str) -> Iterator[Recorded]:
    from bot.domain.verdict.recorded import BadRecord, read

    count = 0
    try:
        with _opened(file) as lines:
            for number, line in enumerate(iter(lambda: lines.readline(_LONGEST_LINE), b""), 1):
                if line.strip():
                    count += 1
                    try:
                        yield read(line)
                    except BadRecord as error:
                        end(WRONG_USE, f"{file}, line {number}: {error}")
    except (OSError, EOFError, zlib.error) as error:
        end(WRONG_USE, f"{file} cannot be read: {getattr(error, 'strerror', None) or error}")
    if not count:
        remark(f"{file} holds no incident")


@contextmanager
def _opened(file: str) -> Iterator[_Lines]:
    if file == STDIN:
        yield sys.stdin.buffer
        return
    with Path(file).open("rb") as opened:
        zipped = opened.read(2) == b"\x1f\x8b"
        opened.seek(0)
        if not zipped:
            yield opened
            return
        import gzip

        with gzip.open(opened) as unzipped:
            yield unzipped


# -- What is written ----------------------------------------------------------------------------


def _written(out: Path) -> IO[str]:
    try:
        return out.open("w", encoding="utf-8")
    except OSError as error:
        end(WRONG_USE, f"{out} cannot be written: {error.strerror}")


def _draw(folder: Path, recorded: Recorded, decision: Decision) -> None:
    import re

    from bot.charting.draw import png
    from bot.domain.verdict.charted import charted

    name = re.sub(r"[^\w.-]", "_", recorded.id)[:120] or "incident"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.png").write_bytes(png(charted(recorded.incident, decision)))
    except OSError as error:
        end(WRONG_USE, f"{folder} cannot be written: {error.strerror}")


def _line(recorded: Recorded, decision: Decision) -> str:
    import json

    from bot.domain.verdict.recorded import version_name

    suspect = decision.suspect.change if decision.suspect else None
    told: dict[str, Json] = {
        "id": recorded.id,
        "target": version_name(decision.suggested) if decision.suggested else None,
        "culprit": version_name(suspect) if suspect and decision.suggested else None,
        "confidence": round(decision.confidence, 4),
        "verdict": decision.verdict.value,
        "reasons": _reasons(recorded, decision),
    }
    return json.dumps(told, ensure_ascii=False) + "\n"


def _reasons(recorded: Recorded, decision: Decision) -> list[str]:
    from bot.domain.verdict.reasons import reasons
    from bot.textsafe import plain
    from bot.wording import say

    found = reasons(recorded.incident, decision)
    return [plain(say("evidence", reason.code, reason.facts)) for reason in found]


def _figures(score: Score) -> dict[str, Json]:
    figures: dict[str, Json] = {name: _rounded(count.share) for name, count in score.figures()}
    return {
        **figures,
        "n": score.top1.all,
        "not_scored": score.not_scored,
        "intervals": {name: _interval(count) for name, count in score.figures()},
        "by_kind": {
            kind: {
                "right": count.right,
                "all": count.all,
                "share": _rounded(count.share),
                "interval": _interval(count),
            }
            for kind, count in score.kinds().items()
        },
    }


def _interval(count: Count) -> list[Json] | None:
    found = count.interval
    return None if found is None else [round(found[0], 4), round(found[1], 4)]


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def _table(score: Score) -> None:
    from rich.table import Table
    from rich.text import Text

    console = screen()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name, justify in (("figure", "left"), ("share", "right"), ("95 %", "left"), ("", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for name, count in score.figures():
        table.add_row(name.replace("_", " "), *shares(count), _MEANING[name])
    table.add_row()
    for kind, count in score.kinds().items():
        table.add_row(Text(kind or "(no kind)"), *shares(count))
    console.print(table)
    if score.not_scored:
        console.print(f"{score.not_scored} without a truth were decided and not scored.")


def _tell(recorded: Recorded, decision: Decision) -> None:
    from bot.domain.verdict.recorded import version_name

    console = screen()
    said = version_name(decision.suggested) if decision.suggested else f"none ({decision.verdict})"
    console.print(f"\n{recorded.id} {recorded.kind}: said {said}, {decision.confidence:.0%} sure")
    truth = recorded.truth
    if truth is not None:
        right = f"{truth.where} {truth.content}" if truth.where else "none"
        console.print(f"  right would be {right}; the change was {truth.culprit or 'none'}")
    for reason in _reasons(recorded, decision):
        console.print(f"  - {reason}")
