"""The address of a database, in every usual spelling, as SQLAlchemy's async URL. No I/O."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

_POSTGRES = frozenset({"postgres", "postgresql"})
# https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION
_SSL_BY_LIBPQ = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})
_SSL_BY_OTHERS = {"true": "require", "1": "require", "false": "disable", "0": "disable"}
_DROPPED = frozenset(
    {"channel_binding", "gssencmode", "application_name", "sslnegotiation", "connect_timeout"}
)
_KEPT = frozenset(
    {"host", "port", "prepared_statement_cache_size", "target_session_attrs", "sslrootcert"}
)
_FORMS = "write sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"


def translate_url(url: str) -> URL:
    """Return *url* as SQLAlchemy's async URL.

    Takes `postgres://` and `postgresql://`, with the name of any driver and with libpq's
    `sslmode` and `sslrootcert` or with `ssl` (its options that change nothing for us are
    dropped), also with a socket's folder as `?host=/…`; `sqlite:///path`, `sqlite:////path`
    and a plain file path. A password may hold `@` and `%` as they are; `/ ? #` are written
    `%2F %3F %23`.

    Raises:
        ValueError: It is none of these, or has an option without a translation. The message
            names the mend and quotes no password.
    """
    scheme, there, rest = url.partition("://")
    if not there:
        if ":" in url.partition("/")[0]:
            raise ValueError(f"is no address of a database; {_FORMS}")
        return _sqlite_file(url)
    backend = scheme.partition("+")[0]
    if backend == "sqlite":
        return _sqlite_url(rest)
    if backend not in _POSTGRES:
        raise ValueError(f"must begin with sqlite:/// or postgresql://; {_FORMS}")
    return _postgres(rest)


def _sqlite_url(rest: str) -> URL:
    if not rest.startswith("/"):
        raise ValueError("needs three slashes and the path of a file: sqlite:///FILE")
    path, _, query = rest[1:].partition("?")
    if query:
        raise ValueError("takes no options after ? for SQLite; leave them out")
    return _sqlite_file(unquote(path))


def _sqlite_file(path: str) -> URL:
    """A database in memory is refused: each connection would see one of its own."""
    if not path or path.startswith((":memory:", "file:")) or "\0" in path:
        raise ValueError("needs the path of a file for SQLite: sqlite:///FILE")
    return URL.create("sqlite+aiosqlite", database=path)


def _postgres(rest: str) -> URL:
    try:
        parsed = make_url(f"postgresql+asyncpg://{_with_account_quoted(rest)}")
        options = _options(parsed)
    except ArgumentError:
        raise ValueError(f"cannot be read; {_FORMS}") from None
    except ValueError as error:  # also of ours; int() quotes what should have been a port
        ours = str(error) if isinstance(error, _Refused) else "has no sound port"
        raise ValueError(f"{ours}; write @ / : ? # in a password as %40 %2F …") from None
    if not parsed.database:
        raise ValueError(f"names no database after the host; {_FORMS}")
    if not parsed.host and "host" not in options:
        raise ValueError("names no host; for a socket write postgresql:///NAME?host=/FOLDER")
    return parsed.set(query=options)


class _Refused(ValueError):
    """In our own words, which quote nothing."""


def _with_account_quoted(rest: str) -> str:
    """Let the account end at the last @ of the authority: no host holds one."""
    authority, slash, tail = rest.partition("/")
    account, at, host = authority.rpartition("@")
    if not at and "@" in tail.partition("?")[0]:
        raise _Refused("has a / in its password, or no host")
    if "?" in authority or "#" in rest:
        raise _Refused("has a ? or # before the database's name")
    name, colon, password = account.partition(":")
    password = quote(unquote(password), safe="")
    return f"{name}{colon}{password}{at}{host}{slash}{tail}"


def _options(parsed: URL) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name, value in parsed.query.items():
        if name in {"sslmode", "ssl"}:
            mode = _SSL_BY_OTHERS.get(str(value).lower(), value) if name == "ssl" else value
            if mode not in _SSL_BY_LIBPQ:
                raise _Refused(f"has a {name} that is none of {', '.join(sorted(_SSL_BY_LIBPQ))}")
            options["ssl"] = mode
        elif name in _KEPT:
            options[name] = value
        elif name not in _DROPPED:
            shown = name if name.isidentifier() and name.isascii() else "after ?"
            raise _Refused(f"has the option {shown!r}, which has no meaning here")
    return options


def shown(url: str) -> str:
    """Return *url* for people, and for libpq where it is PostgreSQL's: without its password."""
    address = translate_url(url)
    if address.get_backend_name() == "sqlite":
        return f"sqlite:///{address.database}"
    options = {n: v for n, v in address.query.items() if n != "prepared_statement_cache_size"}
    if "ssl" in options:
        options["sslmode"] = options.pop("ssl")
    plain = URL.create(
        "postgresql",
        username=address.username,
        host=address.host,
        port=address.port,
        database=address.database,
        query=options,
    )
    return plain.render_as_string()
