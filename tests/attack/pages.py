"""What a page may be made of. Whatever a payload could add is none of it."""

from __future__ import annotations

from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from tests.attack.corpus import MARK, WORKED_OUT

NEVER = frozenset(
    (
        "iframe",
        "frame",
        "frameset",
        "object",
        "embed",
        "applet",
        "base",
        "style",
        "math",
        "foreignobject",
        "animate",
        "set",
        "marquee",
        "audio",
        "video",
        "source",
        "track",
        "picture",
        "portal",
        "plaintext",
        "xmp",
        "noembed",
    )
)
"""Elements that the desk does not use."""

LEADING = frozenset(
    (
        "href",
        "src",
        "action",
        "formaction",
        "xlink:href",
        "poster",
        "data",
        "srcset",
        "ping",
        "background",
        "cite",
        "manifest",
        "hx-get",
        "hx-post",
        "hx-put",
        "hx-patch",
        "hx-delete",
        "hx-push-url",
        "hx-replace-url",
    )
)
"""Attributes that a browser or a script follows."""

SCRIPTED = frozenset(
    [
        "hx-on",
        "hx-vals",
        "hx-vars",
        "hx-headers",
        "hx-ext",
        "hx-trigger-script",
        "hx-eval",
        "srcdoc",
        "style",
    ]
)
"""Attributes that run, or style, what they hold."""


def faults(html: str) -> list[str]:
    """What stands in the page that no template of ours put there; empty for a sound page."""
    tree = LexborHTMLParser(html)
    return [fault for node in _elements(tree) for fault in _faults(node)] + [
        f"worked out: {WORKED_OUT}" for _ in range(WORKED_OUT in html)
    ]


def _elements(tree: LexborHTMLParser) -> Iterator[LexborNode]:
    yield from tree.css("*")


def _faults(node: LexborNode) -> Iterator[str]:
    tag = (node.tag or "").lower()
    attributes = {name.lower(): value or "" for name, value in node.attributes.items()}
    if MARK in tag or tag in NEVER:
        yield f"<{tag}>"
    if tag == "script" and (
        not attributes.get("src", "").startswith("/static/") or node.text().strip()
    ):
        yield "<script> of its own"
    if tag == "meta" and "http-equiv" in attributes:
        yield "<meta http-equiv>"
    if tag == "link" and not attributes.get("href", "").startswith("/static/"):
        yield f"<link href={attributes.get('href')!r}>"
    for name, value in attributes.items():
        if MARK in name or name.startswith(("on", "hx-on")) or name in SCRIPTED:
            yield f"<{tag} {name}={value[:60]!r}>"
        if name in LEADING and not _leads_well(tag, name, value, attributes.get("rel", "")):
            yield f"<{tag} {name}={value[:60]!r}> leads astray"


def _leads_well(tag: str, name: str, value: str, rel: str) -> bool:
    """Whether an address is ours, or a plain link outwards that hands nothing over."""
    place = "".join(char for char in value if char > " ").replace("\\", "/").lower()
    if place.startswith(("/", "#", "?")) or not place:
        return not place.startswith("//")
    outwards = tag == "a" and name == "href" and place.startswith(("http://", "https://"))
    return outwards and {"noopener", "noreferrer"} <= set(rel.split())


def text_of(html: str) -> str:
    """All that the page says, and all that its fields hold."""
    tree = LexborHTMLParser(html)
    held = (value or "" for node in tree.css("*") for value in node.attributes.values())
    return f"{tree.root.text() if tree.root else ''}\n{' '.join(held)}"
