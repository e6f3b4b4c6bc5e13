"""Print the configuration reference, or bring it up to date in the file that is named."""

from __future__ import annotations

import sys
from pathlib import Path

from bot.config.reference import reference_table, refresh

if __name__ == "__main__":
    if len(sys.argv) > 1:
        refresh(Path(sys.argv[1]))
    else:
        sys.stdout.write(reference_table() + "\n")
