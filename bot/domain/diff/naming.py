"""What people call a node."""

from __future__ import annotations

from store.records import Json


def node_title(node: Json) -> str:
    """Return the title of *node*, else its type, else its id; "node" for what has none of them."""
    data = node.get("data") if isinstance(node, dict) else None
    named = (data.get("title"), data.get("type")) if isinstance(data, dict) else ()
    own = node.get("id") if isinstance(node, dict) else None
    return next((str(name) for name in (*named, own) if isinstance(name, str) and name), "node")
