"""The sandbox in which templates are drawn: ours, or a team's on top of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jinja2 import ChoiceLoader, DictLoader, FileSystemLoader, StrictUndefined
from jinja2.ext import InternationalizationExtension
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from bot import catalogues
from bot.voice import OURS, Voice


def environment(
    finalize: Callable[[object], Markup], voice: Voice = OURS
) -> ImmutableSandboxedEnvironment:
    """Return a sandboxed environment over the project's templates, in *voice*.

    *finalize* makes every expression safe for its kind of document; a missing value raises.
    """
    catalogues.keep()
    ours = FileSystemLoader(template_folders())
    made = ImmutableSandboxedEnvironment(
        loader=ChoiceLoader([DictLoader(voice.templates), ours]),
        autoescape=True,
        extensions=[InternationalizationExtension],
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.policies["ext.i18n.trimmed"] = True
    vars(made)["newstyle_gettext"] = True  # the sentence and what fills it come to one function
    return made


def template_folders() -> list[Path]:
    """Where the project's templates are: in the wheel, or in a checkout."""
    here = Path(__file__).parent.parent
    return [here / "templates", here.parent / "templates"]
