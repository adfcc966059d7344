"""Whether a mention speaks to the brand, not only of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from collectors.contract.source import Post

IN_THREAD = "answers-to-us"
"""The name that stands for a query where a post is kept because it answers a reply of ours."""


def is_addressed(post: Post, queries: Sequence[str], terms: Sequence[str], account: str) -> bool:
    """True where the platform says so, and where the post answers us or names us.

    It answers us below a reply of ours; it names us by the brand's `account` or by a handle that
    one of the matched `queries` looks for (one of its `terms`). A handle is written `@acmehelp`, on
    Reddit `u/acmehelp`.
    """
    if post.addressed or IN_THREAD in queries or any(term.startswith("@") for term in terms):
        return True
    if not account:
        return False
    text, name = post.text.casefold(), account.casefold().removeprefix("@")
    return f"@{name}" in text or f"u/{name}" in text
