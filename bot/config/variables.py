"""The environment's variables before they are checked: secrets from files, slips in names."""

from __future__ import annotations

import difflib
import os
import re
import stat
from collections.abc import Collection, Mapping
from pathlib import Path

from bot.config.environment import Environment
from bot.config.mistakes import Mistakes, at

_WEBHOOK = "KEYTURN_WEBHOOK_TOKEN"
_MAX_SECRET_FILE_BYTES = 64 * 1024
VARIABLES = {str(field.validation_alias): field for field in Environment.model_fields.values()}
SECRET_VARIABLES = (
    "DATABASE_URL",
    "KEYTURN_METRICS_TOKEN",
    "KEYTURN_SECRET_KEY",
    _WEBHOOK,
    "SLACK_APP_TOKEN",
    "SLACK_BOT_TOKEN",
    "SLACK_SIGNING_SECRET",
)

_KNOWN = (*VARIABLES, *(f"{name}_FILE" for name in SECRET_VARIABLES))
_KUBERNETES = re.compile(r"KEYTURN_(SERVICE_(HOST|PORT)|PORT)(_|$)")


def with_secret_files(environ: Mapping[str, str], mistakes: Mistakes) -> dict[str, str]:
    """*environ* without empty values, and with the secrets that stand in a file of `NAME_FILE`.

    An empty `KEYTURN_WEBHOOK_TOKEN` is a mistake, not an unset one: somebody meant to shut the
    door with a token and would have it shut for good.
    """
    variables = {name: value for name, value in environ.items() if value.strip()}
    for name in SECRET_VARIABLES:
        file = variables.get(f"{name}_FILE")
        if file is None:
            continue
        if name in variables:
            mistakes.add((name,), f"is set, and {name}_FILE too; keep one of them")
            continue
        secret = read_secret_file(Path(file), (f"{name}_FILE",), mistakes)
        if secret:
            variables[name] = secret
    if _WEBHOOK in environ and not re.sub(r"[\s,]", "", environ[_WEBHOOK]):
        mistakes.add((_WEBHOOK,), "is set but empty; give it a token, or do not set it at all")
    _near_misses(variables, mistakes)
    return variables


def read_secret_file(file: Path, path: tuple[str, ...], mistakes: Mistakes) -> str | None:
    """The secret in *file* without its last newline; None, and a mistake, if there is none.

    That everybody on the machine can read it is a notice: mounted secrets often come so.
    """
    try:
        content, mode = _first_bytes(file)
        secret = content.decode().strip("\r\n")
    except OSError as error:
        mistakes.add(path, f"the file cannot be read ({error.strerror})")
        return None
    except UnicodeDecodeError:
        mistakes.add(path, "the file is not UTF-8 text")
        return None
    except ValueError:  # no name of a file
        mistakes.add(path, "the file cannot be read (no file has such a name)")
        return None
    if not secret.strip() or len(content) > _MAX_SECRET_FILE_BYTES:
        mistakes.add(path, "the file is empty or too large to hold a secret")
        return None
    if stat.S_ISREG(mode) and mode & stat.S_IROTH:
        mistakes.notice(path, "everybody on this machine can read the file; chmod 600 or 640 it")
    return secret


def named_secret(
    table: object,
    path: tuple[str, ...],
    folder: Path,
    variables: Mapping[str, str],
    mistakes: Mistakes,
) -> str | None:
    """The secret that *table* names by a variable or else by a file, relative to *folder*.

    *path* leads to the secret: `("dify", "prod", "password")` is named by the keys `password_env`
    and `password_file` of `[dify.prod]`. None where neither is named, and, with a mistake, where
    there is no such secret.
    """
    *place, kind = path
    variable, file = at(table, f"{kind}_env"), at(table, f"{kind}_file")
    if isinstance(variable, str) and variable:
        secret = variables.get(variable) or None
        if secret is None:
            mistakes.add(
                (*place, f"{kind}_env"),
                f"the variable {variable} is not set; set it, or name another",
            )
        return secret
    if isinstance(file, str) and file:
        return read_secret_file(folder / file, (*place, f"{kind}_file"), mistakes)
    return None


def _first_bytes(file: Path) -> tuple[bytes, int]:
    """What *file* begins with, and its mode; a pipe that nobody writes to is empty."""
    with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK), "rb") as stream:
        return stream.read(_MAX_SECRET_FILE_BYTES + 1) or b"", os.fstat(stream.fileno()).st_mode


def notice_unknown(
    variables: Mapping[str, str], named: Collection[str], mistakes: Mistakes
) -> None:
    """Say which variables look like ours and do nothing; those that the file has *named* do.

    What Kubernetes sets for a service called keyturn is left alone
    (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
    """
    for name in sorted(variables):
        ours = not name.startswith("KEYTURN_") or name in {*_KNOWN, *named}
        if not (ours or _nearest(name) or _KUBERNETES.match(name)):
            mistakes.notice((name,), "is not a variable of ours, so it does nothing")


def _near_misses(variables: Mapping[str, str], mistakes: Mistakes) -> None:
    """Other programs' variables are none of our business; a slip in one of ours is."""
    for name in variables:
        if name.startswith(("KEYTURN_", "SLACK_")) and name not in _KNOWN:
            near = _nearest(name)
            if near:
                mistakes.add((name,), f"is not a variable of ours; did you mean {near}?")


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, _KNOWN, n=1, cutoff=0.9)
    return near[0] if near else ""
