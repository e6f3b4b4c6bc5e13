"""The workflow of the story: a support bot that answers customers, in the shape of Dify's graph."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

APP = "support-triage"
ENV = "prod"
HELPDESK_KEY_ID = "5a3d7a52-31a5-4d0b-9f29-6f0a1c3e8b10"
HELP_ARTICLES_ID = "6d1f0f9c-2f3b-4f0e-9a53-0c5b1f7e2a44"  # a knowledge base
PROVIDER = "langgenius/openai/openai"
MODELS = frozenset({"gpt-4-turbo", "gpt-4o", "gpt-4o-mini"})
REGION_ID = "9b0c1c0e-8a55-4a3f-8a0e-0a7d2a4f5c21"

GOOD_PROMPT = """You are the support assistant of Acme Cloud.

Answer in the customer's language, in at most five sentences.
Use only the help articles in the context and cite the article that you used.
If no article answers the question, say so and hand over to a human.
Never promise a refund: refunds are decided by the billing team."""

BAD_PROMPT = """You are the support assistant of Acme Cloud.

Answer in the customer's language, in at most five sentences.
Be confident: always give a solution, even when no help article covers the question.
Keep customers happy. You may promise a refund when they are upset."""

GOOD_CODE = '''def main(reply: str) -> dict:
    """Cut what would not fit into the ticket."""
    return {"reply": reply.strip()[:4000]}
'''

BAD_CODE = '''def main(reply: str) -> dict:
    """Give the reply to the ticket."""
    return {"reply": reply.split("ANSWER:")[1]}
'''


@dataclass(frozen=True)
class Edition:
    """What differs between the story's versions."""

    prompt: str = GOOD_PROMPT
    model: str = "gpt-4o"
    temperature: float = 0.2
    code: str = GOOD_CODE
    top_k: int = 4
    region: str = "eu-central"
    note: bool = False  # the unpublished work of an editor: a node for the ticket's summary
    shift: int = 0  # pixels the boxes were moved by: layout alone


def graph(edition: Edition) -> dict[str, Any]:
    """Return the graph of *edition*: question → articles → reply → clean-up → answer."""
    nodes = [
        _node("start", 0, edition, type="start", title="Question", variables=[_question()]),
        _node("articles", 1, edition, type="knowledge-retrieval", title="Find help articles",
              query_variable_selector=["start", "question"], dataset_ids=[HELP_ARTICLES_ID],
              retrieval_mode="multiple", multiple_retrieval_config={"top_k": edition.top_k}),
        _node("reply", 2, edition, type="llm", title="Write the reply",
              model={"provider": PROVIDER, "name": edition.model, "mode": "chat",
                     "completion_params": {"temperature": edition.temperature}},
              prompt_template=[{"id": "p1", "role": "system", "text": edition.prompt},
                               {"id": "p2", "role": "user", "text": "{{#start.question#}}"}],
              context={"enabled": True, "variable_selector": ["articles", "result"]},
              vision={"enabled": False}),
        _node("tidy", 3, edition, type="code", title="Tidy up", code_language="python3",
              code=edition.code,
              variables=[{"variable": "reply", "value_selector": ["reply", "text"]}],
              outputs={"reply": {"type": "string", "children": None}}),
        _node("end", 4, edition, type="end", title="Answer",
              outputs=[{"variable": "reply", "value_selector": ["tidy", "reply"]}]),
    ]  # fmt: skip
    order = ["start", "articles", "reply", "tidy", "end"]
    if edition.note:
        nodes.append(
            _node("summary", 5, edition, type="template-transform", title="Summarise for the CRM",
                  template="{{ reply }}", variables=[])
        )  # fmt: skip
    types = {node["id"]: node["data"]["type"] for node in nodes}
    edges = [_edge(source, target, types) for source, target in pairwise(order)]
    return {"nodes": nodes, "edges": edges, "viewport": {"x": 0, "y": 0, "zoom": 0.8}}


def features() -> dict[str, Any]:
    """Return the features that every version has."""
    return {
        "opening_statement": "",
        "suggested_questions": [],
        "retriever_resource": {"enabled": True},
        "file_upload": {"enabled": False},
    }


def environment(edition: Edition, *, secret: str) -> list[dict[str, Any]]:
    """Return the variables; *secret* is a value, or Dify's placeholder for "keep it"."""
    return [
        {"id": HELPDESK_KEY_ID, "name": "HELPDESK_API_KEY", "value_type": "secret", "value": secret,
         "description": "writes replies into the helpdesk"},
        {"id": REGION_ID, "name": "REGION", "value_type": "string", "value": edition.region,
         "description": ""},
    ]  # fmt: skip


def _question() -> dict[str, Any]:
    return {"variable": "question", "label": "Question", "type": "paragraph", "required": True,
            "max_length": 4000, "options": []}  # fmt: skip


def _node(node_id: str, column: int, edition: Edition, **data: Any) -> dict[str, Any]:
    position = {"x": 80 + 300 * column + edition.shift, "y": 280}
    return {
        "id": node_id,
        "type": "custom",
        "data": {"desc": "", "selected": False, **data},
        "position": position,
        "positionAbsolute": dict(position),
        "sourcePosition": "right",
        "targetPosition": "left",
        "width": 244,
        "height": 90,
        "selected": False,
    }


def _edge(source: str, target: str, types: dict[str, str]) -> dict[str, Any]:
    return {
        "id": f"{source}-source-{target}-target",
        "type": "custom",
        "source": source,
        "sourceHandle": "source",
        "target": target,
        "targetHandle": "target",
        "data": {"sourceType": types[source], "targetType": types[target],
                 "isInIteration": False, "isInLoop": False},
        "zIndex": 0,
    }  # fmt: skip
