"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Well:
    """`subject` is as it should be; `said` is what was seen of it."""

    subject: str
    said: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """`subject` is not as it should be: what is seen of it, and what to do."""

    subject: str
    said: str
    remedy: str


Finding = Well | Wrong


def to_json(finding: Finding) -> dict[str, object]:
    match finding:
        case Well(subject=subject, said=said):
            return {"subject": subject, "ok": True, "said": said}
        case Wrong(subject=subject, said=said, remedy=remedy):
            return {"subject": subject, "ok": False, "said": said, "remedy": remedy}


def in_words(finding: Finding) -> str:
    """One line for a person."""
    match finding:
        case Well(subject=subject, said=said):
            return f"ok     {subject}: {said}"
        case Wrong(subject=subject, said=said, remedy=remedy):
            return f"WRONG  {subject}: {said}; {remedy}"
