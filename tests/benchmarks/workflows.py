"""Workflows of any size that look like real ones, and edits as people make them; by a seed."""

from __future__ import annotations

import copy
import itertools
import random
from collections.abc import Callable
from typing import Any

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_MODELS = ("gpt-4o", "gpt-4o-mini", "claude-sonnet", "qwen-max")


class Workflows:
    """Makes contents of workflow documents; the same seed makes the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # no secret depends on it
        self._words = [self._word() for _ in range(3000)]
        self._makers: tuple[Callable[[int], dict[str, Any]], ...] = (
            *(self._llm, self._llm, self._llm, self._code, self._condition, self._http, self._tool),
        )

    def content(self, nodes: int) -> dict[str, Any]:
        """A content with so many nodes in a row, about 2 kB each."""
        made = [self._node(n) for n in range(nodes)]
        edges = [self._edge(a, b) for a, b in itertools.pairwise(made)]
        return {
            "graph": {"nodes": made, "edges": edges, "viewport": {"x": 0, "y": 0, "zoom": 0.7}},
            "features": {"opening_statement": self._text(20), "file_upload": {"enabled": False}},
            "environment_variables": [
                {"id": "e1", "name": "REGION", "value_type": "string", "value": "eu"},
                {"id": "e2", "name": "API_KEY", "value_type": "secret"},
            ],
            "conversation_variables": [],
        }

    def mixed(self, content: dict[str, Any]) -> dict[str, Any]:
        """A copy after a day's work.

        1 % of prompts reworded by a word, a node added, removed, moved in the list and renamed,
        a parameter changed, 5 % of nodes moved on the canvas.
        """
        edited = copy.deepcopy(content)
        nodes = edited["graph"]["nodes"]
        for node in self._random.sample(nodes, max(len(nodes) // 20, 1)):
            node["position"] = {"x": node["position"]["x"] + 40, "y": 77}
        for node in self._prompted(nodes, max(len(nodes) // 100, 1)):
            self._reword(node)
        self._prompted(nodes, 1)[0]["data"]["model"]["completion_params"]["temperature"] = 0.2
        nodes[len(nodes) // 2]["data"]["title"] = "Another name"
        nodes.insert(3, nodes.pop(-2))
        gone = nodes.pop(len(nodes) // 3)["id"]
        edges = edited["graph"]["edges"]
        edges[:] = [edge for edge in edges if gone not in (edge["source"], edge["target"])]
        nodes.append(self._node(len(nodes) + 10_000))
        edges.append(self._edge(nodes[0], nodes[-1]))
        return edited

    def one_prompt(self, content: dict[str, Any]) -> dict[str, Any]:
        """A copy with one prompt reworded by a word."""
        edited = copy.deepcopy(content)
        self._reword(self._prompted(edited["graph"]["nodes"], 1)[0])
        return edited

    def _prompted(self, nodes: list[dict[str, Any]], n: int) -> list[dict[str, Any]]:
        return self._random.sample([n for n in nodes if n["data"]["type"] == "llm"], n)

    def _reword(self, node: dict[str, Any]) -> None:
        message = node["data"]["prompt_template"][0]
        words = message["text"].split(" ")
        words[self._random.randrange(len(words))] = self._word()
        message["text"] = " ".join(words)

    def _word(self) -> str:
        return "".join(self._random.choices(_LETTERS, k=self._random.randint(3, 9)))

    def _text(self, words: int) -> str:
        return " ".join(self._random.choices(self._words, k=words))

    def _node(self, n: int) -> dict[str, Any]:
        maker = self._random.choice(self._makers)
        data = {"title": f"Step {n} {self._text(2)}", "desc": "", "selected": False, **maker(n)}
        at = {"x": 300 * n + 0.5, "y": self._random.randint(0, 900)}
        return {
            "id": str(1_700_000_000_000 + n),
            "type": "custom",
            "position": at,
            "positionAbsolute": dict(at),
            "width": 244,
            "height": 98,
            "sourcePosition": "right",
            "targetPosition": "left",
            "selected": False,
            "data": data,
        }

    def _edge(self, source: dict[str, Any], target: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": f"{source['id']}-source-{target['id']}-target",
            "type": "custom",
            "source": source["id"],
            "sourceHandle": "source",
            "target": target["id"],
            "targetHandle": "target",
            "zIndex": 0,
            "data": {
                "sourceType": source["data"]["type"],
                "targetType": target["data"]["type"],
                "isInIteration": False,
            },
        }

    def _llm(self, n: int) -> dict[str, Any]:
        parameters = {"temperature": 0.7, "top_p": 1, "max_tokens": 512}
        return {
            "type": "llm",
            "model": {
                "provider": "langgenius/openai/openai",
                "name": self._random.choice(_MODELS),
                "mode": "chat",
                "completion_params": parameters,
            },
            "prompt_template": [
                {"id": f"{n}-a", "role": "system", "text": self._text(240)},
                {"id": f"{n}-b", "role": "user", "text": "{{#sys.query#}}\n" + self._text(60)},
            ],
            "context": {"enabled": False, "variable_selector": []},
            "vision": {"enabled": False},
        }

    def _code(self, _: int) -> dict[str, Any]:
        lines = [f"    {self._word()} = {self._text(3)!r}" for _ in range(40)]
        return {
            "type": "code",
            "code_language": "python3",
            "code": "\n".join(
                ["def main(arg: str) -> dict:", *lines, "    return {'result': arg}"]
            ),
            "outputs": {"result": {"type": "string", "children": None}},
            "variables": [{"variable": "arg", "value_selector": ["sys", "query"]}],
        }

    def _condition(self, n: int) -> dict[str, Any]:
        condition = {
            "id": f"{n}-c",
            "variable_selector": ["sys", "query"],
            "comparison_operator": "contains",
            "value": self._text(3),
        }
        case = {"case_id": "true", "logical_operator": "and", "conditions": [condition]}
        return {"type": "if-else", "cases": [case]}

    def _http(self, _: int) -> dict[str, Any]:
        return {
            "type": "http-request",
            "method": "post",
            "url": f"https://{self._word()}.example/{self._word()}",
            "headers": "Content-Type: application/json",
            "params": "",
            "body": {"type": "json", "data": [{"type": "text", "value": self._text(80)}]},
            "authorization": {"type": "no-auth", "config": None},
            "timeout": {"max_connect_timeout": 0},
        }

    def _tool(self, _: int) -> dict[str, Any]:
        return {
            "type": "tool",
            "provider_id": "google",
            "tool_name": "search",
            "tool_parameters": {"query": {"type": "mixed", "value": self._text(10)}},
            "tool_configurations": {"count": 3},
        }
