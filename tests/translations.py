"""`python -m tests.translations` brings the catalogues up to date with what the sources say.

What is new comes in untranslated, what is gone goes out. A team of translators needs no more than
the `.po` file and an editor for such files.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import write_po

from bot import catalogues
from bot.language import ENGLISH, LANGUAGES

ROOT = Path(__file__).parent.parent
KEYWORDS = {
    **dict.fromkeys(("_", "gettext", "translated", "message", "filled"), None),
    **dict.fromkeys(("ngettext", "counted", "messages"), (1, 2)),
}
_SPEAKS = re.compile(r"\bbot\.(language|wording)\b|\buser_message = ")
JINJA = {"trimmed": "true", "trim_blocks": "true", "lstrip_blocks": "true"}


def sources() -> Iterator[tuple[str, str, Path]]:
    """How each file is read, its name from the root, and where it is."""
    for path in sorted((ROOT / "templates" / "slack").rglob("*.j2")):
        yield "jinja2.ext:babel_extract", path.relative_to(ROOT).as_posix(), path
    for path in sorted((ROOT / "bot").rglob("*.py")):
        if not _SPEAKS.search(path.read_text(encoding="utf-8")):
            continue  # says nothing of its own
        yield "python", path.relative_to(ROOT).as_posix(), path


def extracted() -> Catalog:
    """Every sentence that can be translated, and where it is said."""
    found = Catalog(project="keyturn", charset="utf-8")
    for method, name, path in sources():
        options = JINJA if method != "python" else {}
        with path.open("rb") as file:
            for _, said, _, _ in extract(method, file, KEYWORDS, options=options):
                found.add(said, locations=[(name, 1)])
        if name.startswith("bot/errors/"):
            for said in _of_errors(path):
                found.add(said, locations=[(name, 1)])
    return found


def _of_errors(path: Path) -> Iterator[str]:
    """The sentence that a class of errors has for people."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == "user_message":
            value = ast.literal_eval(node.value)  # type: ignore[attr-defined]
            assert isinstance(value, str)
            yield value


def merged(tag: str, said: Catalog) -> Catalog:
    """The catalogue of *tag* with what is *said* now."""
    kept = catalogues.read(tag)
    kept.update(said, no_fuzzy_matching=True)
    kept.obsolete.clear()
    return kept


def written(catalogue: Catalog) -> bytes:
    """*catalogue* as a file: in the order of the sources, without what changes by the day."""
    out = BytesIO()
    write_po(out, catalogue, width=96, include_lineno=False, omit_header=True, sort_by_file=True)
    head = (
        'msgid ""\nmsgstr ""\n"Language: {}\\n"\n"MIME-Version: 1.0\\n"\n'
        '"Content-Type: text/plain; charset=utf-8\\n"\n"Content-Transfer-Encoding: 8bit\\n"\n'
        '"Plural-Forms: nplurals=1; plural=0;\\n"\n\n'
    )
    return head.format(catalogue.locale).encode() + out.getvalue()


def main() -> None:
    """Merge, and say what waits for a translation."""
    said = extracted()
    for tag in LANGUAGES:
        if tag == ENGLISH:
            continue
        made = merged(tag, said)
        catalogues.file_of(tag).write_bytes(written(made))
        waits = sum(1 for one in made if one.id and not (one.string and all(one.string)))
        print(f"{tag}: {len(made)} sentences, {waits} without a translation")


if __name__ == "__main__":
    main()
