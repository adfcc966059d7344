"""What the classifier reads of a post: its text, bounded and put into one shape.

Training and judging go through `normalise`, so that a model never meets a spelling that it
was not taught. Addresses and names of people become placeholders: they say nothing that
holds for the next post, and a model must not learn people.
"""

from __future__ import annotations

import re
from html import unescape

READ_LIMIT = 2_000
"""Characters of a post that are read. What matters is said early, and time stays bounded."""

LINK = "http"
PERSON = "@user"

_HALF = re.compile(r"[\ud800-\udfff]")
_LINK = re.compile(r"(?:https?://|www\.)\S+")
_PERSON = re.compile(r"@(?<!\w@)\w+")  # searched for by its @, which is fast


def normalise(text: str) -> str:
    """`text` in lower case, with entities decoded and links and handles replaced.

    Reads at most `READ_LIMIT` characters. Any string is accepted, lone surrogates included.
    """
    text = text[:READ_LIMIT]
    if not text.isascii():
        # half a character, as some platforms' truncation leaves it: no codec would take it
        text = _HALF.sub(" ", text)
    if "&" in text:
        text = unescape(text)
    if "://" in text or "www." in text:
        text = _LINK.sub(f" {LINK} ", text)
    if "@" in text:
        text = _PERSON.sub(f" {PERSON} ", text)
    return text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
