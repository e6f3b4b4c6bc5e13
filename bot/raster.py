"""From an SVG to the pixels of a PNG: by resvg, here or in a process of its own.

resvg reads every font of the machine for each drawing and holds the interpreter meanwhile: a
service that drew by itself would answer nobody for as long. The process apart gets no secrets,
and what ends it ends no service.

    python bot/raster.py ZOOM <drawing.svg >drawing.png     exit 3: nothing would be seen
"""

from __future__ import annotations

import asyncio
import sys
from functools import cache

import resvg_py

NOTHING = 3
LIMIT_S = 30.0


def png(svg: str, *, zoom: float) -> bytes | None:
    """Return *svg* as a PNG, *zoom* times its size.

    None where nothing would be seen: no font is installed, or it is out of all proportion.
    """
    if not _can_write():
        return None
    try:
        return resvg_py.svg_to_bytes(svg_string=svg, zoom=zoom)
    except ValueError:  # so long that it would be less than a pixel wide
        return None


async def png_apart(svg: str, *, zoom: float) -> bytes | None:
    """Return what `png` does, without holding anybody up; None also after half a minute."""
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", __file__, str(zoom)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={},
        )
    except OSError:  # no room for another process: the thread goes on without its picture
        return None
    try:
        async with asyncio.timeout(LIMIT_S):
            content, _ = await process.communicate(svg.encode())
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return content if process.returncode == 0 else None


@cache
def _can_write() -> bool:
    """Whether a letter leaves a trace: without a font it does not, and nothing else tells."""
    frame = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20">{}</svg>'
    letter = '<text y="15" font-family="DejaVu Sans, sans-serif">W</text>'
    with_it, without = (frame.format(inside) for inside in (letter, ""))
    drawn = [resvg_py.svg_to_bytes(svg_string=text) for text in (with_it, without)]
    return drawn[0] != drawn[1]


def main() -> None:
    """Draw what comes in."""
    drawn = png(sys.stdin.buffer.read().decode(), zoom=float(sys.argv[1]))
    if drawn is None:
        raise SystemExit(NOTHING)
    sys.stdout.buffer.write(drawn)


if __name__ == "__main__":
    main()
