"""All checks, one after the other; nothing outside is changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator

import aiohttp

from bot.checkup import chat, database, sinks, surroundings
from bot.checkup import workspaces as dify
from bot.checkup.finding import Finding, failed, note, ok
from bot.config.load import database_url, from_process
from bot.config.settings import Settings
from bot.errors import ConfigurationWrong

LIMIT = aiohttp.ClientTimeout(total=15, sock_connect=5)


async def findings() -> AsyncIterator[Finding]:
    """Look at everything that this process's settings name, and yield what is found."""
    settings, problems = _settings()
    for finding in _of_settings(settings, problems):
        yield finding
    async for finding in _of_database(settings):
        yield finding
    if settings is None:
        yield note("the rest", "is not looked at before the settings are mended")
        return
    if settings.slack.bot_token is None and not any("SLACK_BOT_TOKEN" in p for p in problems):
        yield note("slack", "is not set up: nothing is posted, and nobody is asked")
    async with aiohttp.ClientSession(timeout=LIMIT) as http:
        async for finding in chat.findings(settings, http):
            yield finding
        async for finding in dify.findings(settings):
            yield finding
        async for finding in surroundings.findings(settings, http):
            yield finding
        async for finding in sinks.findings(settings):
            yield finding


def _settings() -> tuple[Settings | None, list[str]]:
    """The settings, as far as they can be used, and every mistake in them."""
    try:
        return from_process(serving=True), []
    except ConfigurationWrong as error:
        problems = error.problems
    try:
        return from_process(), problems  # only `serve` needs what is missing
    except ConfigurationWrong:
        return None, problems


def _of_settings(settings: Settings | None, problems: Iterable[str]) -> Iterator[Finding]:
    for problem in problems:
        path, _, sentence = problem.partition(": ")
        said, _, mend = sentence.partition("; ")
        yield failed(path, said, mend or _mend(path, said))
    for notice in settings.notices if settings else ():
        path, _, sentence = notice.partition(": ")
        yield note(path, sentence)
    if settings is None or problems:
        return
    apps, workspaces = len(settings.places), len(settings.dify)
    said = f"{apps} app{'s' * (apps != 1)}, {workspaces} workspace{'s' * (workspaces != 1)}"
    yield ok("settings", said)
    if not settings.places:
        yield note("settings", "no app is named; `keyturn discover` writes the tables")


def _mend(path: str, said: str) -> str:
    """Where to put right what *said* has told; a variable is written in capitals."""
    variable, missing = path.isupper(), said.startswith("is missing")
    if path.endswith(".toml"):
        return f"correct {path} there"
    if variable:
        return f"set the variable {path}"
    return f"{'add' if missing else 'correct'} {path} in the configuration file"


async def _of_database(settings: Settings | None) -> AsyncIterator[Finding]:
    try:
        url = (settings.database_url if settings else database_url()).get_secret_value()
    except ConfigurationWrong:
        return  # it is among the mistakes
    yield await database.finding(url)
