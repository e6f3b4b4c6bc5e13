"""The door for Grafana's own alerting, whose webhook sends nearly what Alertmanager sends.

https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
"""

from __future__ import annotations

from typing import Final

SOURCE: Final = "grafana"
PATH: Final = "/webhooks/grafana"
VERSION: Final = "1"
