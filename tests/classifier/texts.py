"""Texts as Hypothesis makes them up: any characters, and what people really write."""

from __future__ import annotations

from hypothesis import strategies as st

_PIECES = """
the app is down not good never love you please where my order http://x.example/1 @acme #fail sooooo
!!! ? 😡 ❤️ don't können 你好 мой &amp; 50% _ it's www.shop.example
"""
_WORDS = st.sampled_from([*_PIECES.split(), "\n", "\t"])
_SURROGATES = st.characters(categories=["Cs"])

any_text = st.one_of(
    st.text(max_size=200),
    st.text(st.one_of(st.characters(), _SURROGATES), max_size=60),
    st.lists(_WORDS, max_size=40).map(" ".join),
)
"""Any string at all, lone surrogates included."""
