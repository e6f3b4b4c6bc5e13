"""The team's own templates: read from a folder, and tried before they are used."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

from bot.config.mistakes import Mistakes

_PATH = ("slack", "templates")
_MOST_BYTES = 256 * 1024
_SUFFIX = ".j2"


def read(folder: Path | None, mistakes: Mistakes) -> Mapping[str, str]:
    """The templates in *folder* that may be used, by name; none where no folder is named.

    A file that is called as none of ours is a mistake: nobody would read it. One that breaks is a
    notice, and ours is used in its place, since alerts do not wait for a template.
    """
    if folder is None:
        return {}
    if not folder.is_dir():
        mistakes.add(_PATH, f"there is no folder {folder}")
        return {}
    known = ours()
    sources = {}
    for file in sorted(path for path in folder.rglob(f"*{_SUFFIX}") if path.is_file()):
        name = f"slack/{file.relative_to(folder).as_posix()}"
        if name not in known:
            mistakes.add(_PATH, _unknown(name, known))
            continue
        source = _text(file, name, mistakes)
        if source is not None:
            sources[name] = source
    return _tried(sources, mistakes)


def ours() -> dict[str, Path]:
    """Keyturn's own templates of Slack by name, each with its file."""
    from bot.wording import template_folders

    return {
        file.relative_to(folder).as_posix(): file
        for folder in template_folders()
        for file in sorted((folder / "slack").rglob(f"*{_SUFFIX}"))
    }


def _unknown(name: str, known: Mapping[str, Path]) -> str:
    short = name.removeprefix("slack/")
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    meant = f"; did you mean {near[0].removeprefix('slack/')}?" if near else ""
    return f"{short} takes no template's place{meant or '; `keyturn templates` names them'}"


def _text(file: Path, name: str, mistakes: Mistakes) -> str | None:
    try:
        with file.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
        source = content.decode()
    except OSError as error:
        mistakes.add(_PATH, f"{name} cannot be read ({error.strerror})")
        return None
    except UnicodeDecodeError:
        mistakes.add(_PATH, f"{name} is not UTF-8 text")
        return None
    if len(content) > _MOST_BYTES:
        mistakes.add(_PATH, f"{name} is too large to be a template")
        return None
    return source


def _tried(sources: Mapping[str, str], mistakes: Mistakes) -> Mapping[str, str]:
    if not sources:
        return {}
    from bot.samples.trying import tried  # with jinja2, so late

    found = tried(sources)
    for name, why in found.refused.items():
        short = name.removeprefix("slack/")
        mistakes.notice(_PATH, f"{short} is not used, Keyturn's own is: {why[:300]}")
    return found.good
