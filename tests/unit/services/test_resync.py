"""After Slack was out of reach, what people see is what is stored."""

from __future__ import annotations

from dataclasses import replace

from bot.services.resync import Resync
from store.records import OutboxKind
from store.session import SqlStore
from tests.builders import PROD
