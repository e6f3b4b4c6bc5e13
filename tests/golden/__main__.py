"""`python -m tests.golden` keeps every message as it is drawn now: look at what `git diff` says."""

from tests.golden.kept import FOLDERS, KINDS, write

for language in FOLDERS:
    for kind in KINDS:
        write(kind, language)
