"""Every message, dialog and App Home in a real browser: on a phone and a desk, light and dark."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, ViewportSize

from bot.language import LANGUAGES
from bot.samples.drawn import samples
from tests.acceptance.commands import keyturn
from tests.acceptance.reader import DESK, PHONE, Scheme, a_browser

# What overflows its own box or says nothing, by the id of its figure.
_ILL = """() => [...document.querySelectorAll("figure")].filter(figure =>
  figure.innerText.trim().length < 12 || figure.scrollWidth > figure.clientWidth
  || [...figure.querySelectorAll("button, .text, h3")].some(part =>
       part.getBoundingClientRect().right > figure.getBoundingClientRect().right + 1)
).map(figure => figure.id)"""
_SIDEWAYS = "document.documentElement.scrollWidth - innerWidth"


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with a_browser() as running:
        yield running


@pytest.fixture(params=LANGUAGES)
async def preview(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The page that a team gets to see what its templates make, in each language."""
    page = tmp_path / f"preview-{request.param}.html"
    settings = f'[slack]\nlanguage = "{request.param}"\n'
    (tmp_path / "keyturn.toml").write_text(settings, encoding="utf-8")
    told = await keyturn("templates", "--preview", str(page), variables={}, cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
async def test_everything_that_keyturn_says_fits_and_breaks_no_rule(
    browser: Browser, preview: Path, tmp_path: Path, size: ViewportSize, scheme: Scheme
) -> None:
    window = await browser.new_context(viewport=size, color_scheme=scheme)
    page = await window.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(preview.as_uri())

    assert await page.locator("figure").count() == len(samples())
    assert await page.locator(".broken").count() == 0
    assert await page.evaluate(_SIDEWAYS) <= 0
    assert await page.evaluate(_ILL) == []
    assert complaints == []
    folder = Path(os.environ.get("KEYTURN_PICTURES", tmp_path))
    await page.screenshot(
        path=folder / f"{preview.stem}-{size['width']}-{scheme}.png", full_page=True
    )
    await window.close()
