"""What a chart of an incident shows, as plain values; `bot.charting` draws it."""
