"""What people type: every slash command comes in here and goes to its verb."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from bot.domain import commands
from bot.domain.commands import (
    Absolve,
    Alerting,
    Audit,
    BreakGlass,
    Choose,
    Condemn,
    Diff,
    Drill,
    DryRun,
    Help,
    Jobs,
    Log,
    Named,
    OfOne,
    Pause,
    Reading,
    Record,
    Resume,
    Review,
    Silence,
    Status,
    Suggesting,
    Tag,
    Tags,
    Take,
    TakeBack,
    To,
    ToTag,
    Undo,
    Untag,
    Who,
    Withdraw,
)
from bot.domain.words import AnswerCode
from bot.errors import BadCommand, BotError, NoSuchPage, Refused, UpstreamDown, UpstreamRefused
from bot.ports.store import Store
from bot.services import history
from bot.services.asker import Asker, Reception
from bot.services.companions import Companions
from bot.services.drill.starting import Drilling
from bot.services.emergency import Emergency
from bot.services.hearing import Hearing, Matter
from bot.services.received import Words
from bot.services.review import Reviewing
from bot.services.sight import Sight, nearest
from bot.services.slash.audit import audit
from bot.services.slash.condemn import Judging
from bot.services.slash.diff import diff
from bot.services.slash.dry_run import Rehearsing, dry_run
from bot.services.slash.jobs import Timetable
from bot.services.slash.log import log
from bot.services.slash.own import Own
from bot.services.slash.pause import Pausing
from bot.services.slash.record import record
from bot.services.slash.silence import Silencing
from bot.services.slash.snapshot import Takes
from bot.services.slash.status import status
from bot.services.slash.tag import Tagging
from bot.services.slash.to import Asking
from bot.services.slash.told import Told
from bot.services.slash.who import Electorate
from bot.services.undoing import Undoing
from store.records import AppEnv, Corrupt, Json, Missing

_ACTIONS = {
    To: "rollback.ask",
    ToTag: "rollback.ask",
    Undo: "rollback.ask",
    DryRun: "rollback.dry_run",
    Tags: "history.see",
    Tag: "tag.move",
    Untag: "tag.remove",
    Condemn: "version.condemn",
    Absolve: "version.lift",
    Log: "history.see",
    Diff: "difference.see",
    Take: "snapshot.ask",
    Who: "policy.see",
    Record: "record.see",
    BreakGlass: "rollback.break_glass",
    Review: "review.sign",
    TakeBack: "vote.take_back",
    Withdraw: "rollback.withdraw",
    Audit: "audit.see",
    Pause: "suggestions.pause",
    Resume: "suggestions.resume",
    Drill: "drill.start",
    Silence: "alerts.silence",
}


@dataclass(frozen=True)
class Verbs:
    """What does the work of each verb that needs more than the store."""

    sight: Sight
    to: Asking
    take: Takes
    who: Electorate
    tag: Tagging
    judge: Judging
    own: Own
    companions: Companions
    emergency: Emergency
    review: Reviewing
    undo: Undoing
    rehearse: Rehearsing
    pause: Pausing
    drill: Drilling
    jobs: Timetable
    silence: Silencing


class Commanded:
    """Carries out slash commands."""

    def __init__(self, store: Store, reception: Reception, verbs: Verbs) -> None:
        self._store = store
        self._reception = reception
        self._verbs = verbs

    async def __call__(self, hearing: Hearing, words: Words) -> None:
        """Do what *words* ask for, or say why not.

        Raises:
            UpstreamDown: Slack or the target cannot say now; the sender was told once.
        """
        try:
            asked = commands.parse(words.text)
        except BadCommand as error:
            await self._not_understood(hearing, error)
            return
        match asked:
            case Choose():  # the listener has opened its dialog, or asks for help
                async with self._store.write() as tx:
                    await hearing.finish(tx, "asked_to_choose")
            case Help():
                await self._tell(hearing, Told(AnswerCode.HELP, {}))
            case Status():
                await self._status(hearing)
            case Jobs():
                await self._jobs(hearing)
            case _:
                await self._named(hearing, words, asked)

    async def asked(self, hearing: Hearing, words: Words, asked: Named) -> None:
        """Do what was *asked* for in a dialog, or say why not, as if it had been typed.

        Raises:
            UpstreamDown: Slack or the target cannot say now; the sender was told once.
        """
        await self._named(hearing, words, asked)

    async def _tell(self, hearing: Hearing, told: Told) -> None:
        async with self._store.write() as tx:
            await hearing.answer(tx, told.code, told.facts)
            await hearing.finish(tx, told.code.value)

    async def _not_understood(self, hearing: Hearing, error: BadCommand) -> None:
        """Say how it is asked, with a name of theirs where the form wants an app."""
        asker = await self._reception.of(hearing.item)
        if commands.ANY_APP in error.nearest:
            name = await self._example(asker, error.app)
            form = error.nearest.replace(commands.ANY_APP, name)
            error = BadCommand(error.said, nearest=form, app=error.app)
        await self._refuse(hearing, asker, error)

    async def _example(self, asker: Asker, said: str) -> str:
        """The app most like what was *said* that *asker* may see, else the first one."""
        try:
            seen = await self._verbs.sight.all(asker)
        except Refused:
            return commands.ANY_APP
        return nearest(said, seen) or next(map(str, seen), commands.ANY_APP)

    async def _refuse(self, hearing: Hearing, asker: Asker, error: Refused) -> None:
        """Answer somebody whom no rule about an app has refused: told, not recorded."""
        async with self._store.write() as tx:
            matter = Matter("command", "command")
            await hearing.refuse(tx, asker, error, matter, recorded=False)

    async def _status(self, hearing: Hearing) -> None:
        asker = await self._reception.of(hearing.item)
        try:
            seen = await self._verbs.sight.all(asker)
        except Refused as error:
            await self._refuse(hearing, asker, error)
            return
        await self._tell(hearing, await status(self._store, seen))

    async def _jobs(self, hearing: Hearing) -> None:
        asker = await self._reception.of(hearing.item)
        try:
            told = await self._verbs.jobs(asker)
        except Refused as error:
            await self._refuse(hearing, asker, error)
            return
        await self._tell(hearing, told)

    # -- what names an app ----------------------------------------------------------------------

    async def _named(self, hearing: Hearing, words: Words, asked: Named) -> None:
        asker = await self._reception.of(hearing.item)
        try:
            asked, places = await self._seen(asker, asked)
        except Refused as error:
            async with self._store.write() as tx:
                await hearing.refuse(tx, asker, error, _matter(asked, asker))
            return
        matter = _matter(asked, asker)
        try:
            await self._do(hearing, words, asked, asker, places)
        except NoSuchPage as error:  # turning pages decides nothing, and would make another page
            await self._refuse(hearing, asker, error)
        except Refused as error:
            async with self._store.write() as tx:
                await hearing.refuse(tx, asker, error, matter)
        except UpstreamRefused as error:
            async with self._store.write() as tx:
                await hearing.fail(tx, error, matter)
        except (Missing, Corrupt) as error:
            async with self._store.write() as tx:
                await hearing.fail(tx, BotError(str(error)), matter)
        except UpstreamDown as error:
            await self._wait(hearing, error)
            raise

    async def _seen(self, asker: Asker, asked: Named) -> tuple[Named, list[AppEnv]]:
        """*asked* with the app as it is written here, and the apps that it is about."""
        if asked.where is None:
            return asked, await self._verbs.sight.all(asker)
        where = await self._verbs.sight.named(asker, asked.where)
        if isinstance(asked, To | ToTag):
            also = [(await self._verbs.sight.named(asker, app), goal) for app, goal in asked.also]
            asked = replace(asked, also=tuple(also))
        return replace(asked, where=where), [where]

    async def _do(
        self, hearing: Hearing, words: Words, asked: Named, asker: Asker, places: list[AppEnv]
    ) -> None:
        match asked:
            case To() | ToTag():
                await self._to(hearing, words, asked, asker)
            case Undo():
                await self._verbs.undo.typed(hearing, words, asked, asker)
            case Tags():
                await self._tell(hearing, await self._verbs.tag.listed(asked))
            case Tag() | Untag():
                await self._verbs.tag(hearing, asked, asker, _matter(asked, asker))
            case Condemn() | Absolve():
                await self._verbs.judge(hearing, asked, asker, _matter(asked, asker))
            case BreakGlass() | Review() | TakeBack() | Withdraw():
                await self._word(hearing, asked, asker)
            case Pause() | Resume() | Silence() | Drill():
                await self._of_alerts(hearing, asked, asker, places)
            case Take():
                await self._verbs.take(hearing, places, _matter(asked, asker))
            case _:
                with hearing.speaking():
                    told = await self._told(asker, asked)
                await self._tell(hearing, told)

    async def _of_alerts(
        self,
        hearing: Hearing,
        asked: Suggesting | Alerting,
        asker: Asker,
        places: list[AppEnv],
    ) -> None:
        matter = _matter(asked, asker)
        match asked:
            case Pause() | Resume():
                await self._verbs.pause(hearing, asked, asker, places, matter)
            case Silence():
                await self._verbs.silence(hearing, asked, asker, matter)
            case Drill():
                await self._verbs.drill(hearing, asked, asker, places, matter)

    async def _told(self, asker: Asker, asked: Reading) -> Told:
        """What is asked by who only wants to know."""
        match asked:
            case DryRun():
                return await dry_run(self._store, self._verbs.rehearse, asked)
            case Log():
                return await log(self._store, asked)
            case Diff():
                return await diff(self._store, asked)
            case Audit():
                return await audit(self._store, asked)
            case Who():
                return await self._verbs.who(asker, asked)
            case Record():
                sees = partial(self._verbs.sight.named, asker)
                return await record(self._store, asked, sees=sees)

    async def _word(self, hearing: Hearing, asked: OfOne, asker: Asker) -> None:
        match asked:
            case BreakGlass():
                await self._verbs.emergency.command(hearing, asked)
            case Review():
                await self._verbs.review.command(hearing, asked)
            case TakeBack() | Withdraw():
                await self._verbs.own(hearing, asked, asker, _matter(asked, asker))

    async def _to(self, hearing: Hearing, words: Words, asked: To | ToTag, asker: Asker) -> None:
        """Ask for what is meant, with each tag's version as it stands now."""
        goal = asked.number if isinstance(asked, To) else asked.name
        number = await self._numbered(asked.where, goal)
        also = [(where, await self._numbered(where, goal)) for where, goal in asked.also]
        if asked.together:
            named = {asked.where, *(where for where, _ in also)}
            with_it = await self._verbs.companions(asked.where, number)
            for where, then in with_it:
                if where not in named:
                    also.append((await self._verbs.sight.named(asker, where), then))
        await self._verbs.to(hearing, words, To(asked.where, number, asked.reason), also, asker)

    async def _numbered(self, where: AppEnv, goal: int | str) -> int:
        """The version that *goal* means. Raises `NothingStored`, `UnknownVersion`."""
        if isinstance(goal, int):
            return goal
        await history.span(self._store, where)
        return (await history.find(self._store, where, goal)).number or 0

    async def _wait(self, hearing: Hearing, error: UpstreamDown) -> None:
        """Say once that it takes longer; a person who hears nothing asks again."""
        async with self._store.write() as tx:
            facts = {"text": hearing.told(error)}
            await hearing.answer(tx, AnswerCode.REFUSED, facts, part="waiting")


def _asked(asked: To | ToTag) -> dict[str, Json]:
    also = [[str(where), goal] for where, goal in asked.also]
    said = {"reason": asked.reason, "also": also, "together": asked.together}
    return {name: value for name, value in said.items() if value}


def _matter(asked: Named, asker: Asker) -> Matter:
    resource = f"app/{asked.where}" if asked.where else "apps"
    what: dict[str, Json] = {"person": asker.facts.person}
    if asked.where:
        what["app"] = str(asked.where)
    if isinstance(asked, Drill):
        what["drill"] = True
    if isinstance(asked, To):
        what["number"] = asked.number
    if isinstance(asked, To | ToTag):
        what |= _asked(asked)
    if isinstance(asked, BreakGlass | Undo | Condemn | Absolve | Pause | Silence) and asked.reason:
        what["reason"] = asked.reason
    if isinstance(asked, Review) and asked.remark:
        what["remark"] = asked.remark
    if isinstance(asked, ToTag | Tag | Untag):
        what["tag"] = asked.name
    if isinstance(asked, Silence):
        what["minutes"] = asked.minutes
    return Matter(_ACTIONS[type(asked)], resource, what)
