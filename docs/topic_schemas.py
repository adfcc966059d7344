"""Write the JSON Schema of each topic to docs/reference/schemas: `python -m docs.topic_schemas`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from earshot.log.topics import TOPICS

FOLDER = Path(__file__).with_name("reference") / "schemas"


def schemas() -> Mapping[str, bytes]:
    """The text of each schema file by its name, in the order of the topics."""
    return {f"{topic.name}.json": _text(topic.name, topic.message) for topic in TOPICS}


def _text(topic: str, message: type) -> bytes:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"a message of the topic `{topic}`",
    } | msgspec.json.schema(message)
    return msgspec.json.format(msgspec.json.encode(schema, order="deterministic"), indent=2) + b"\n"


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in schemas().items():
        (FOLDER / name).write_bytes(text)


if __name__ == "__main__":
    main()
