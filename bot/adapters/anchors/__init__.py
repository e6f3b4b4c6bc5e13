"""The other end of `[audit] anchor_url`: heads of the audit chain, posted and signed."""
