"""What Prometheus reads from us: `GET /metrics`."""
