"""The whole record of one rollback, from the alert to the recovery, as one page shows it."""
