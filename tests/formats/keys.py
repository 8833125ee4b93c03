"""Every key that params.yaml may have, from its schema: `python -m tests.formats.keys`."""

from collections.abc import Iterator
from typing import Any

from reidpipe.formats.params import Params


def keys() -> list[str]:
    """Dotted paths; * stands for a name of the user's (a data set, a metric)."""
    schema = Params.model_json_schema()
    return sorted(set(_walk(schema, schema["$defs"], "")))


def _walk(node: dict[str, Any], sections: dict[str, Any], path: str) -> Iterator[str]:
    if "$ref" in node:
        node = sections[node["$ref"].rpartition("/")[2]]
    for choice in node.get("anyOf", []) + node.get("oneOf", []):
        yield from _walk(choice, sections, path)
    children = dict(node.get("properties", {}))
    if isinstance(node.get("additionalProperties"), dict):
        children["*"] = node["additionalProperties"]
    for name, child in children.items():
        yield f"{path}{name}"
        yield from _walk(child, sections, f"{path}{name}.")


if __name__ == "__main__":
    print("\n".join(keys()))  # noqa: T201
