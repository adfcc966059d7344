"""Why an item came to somebody, in sentences. Reads what the router stored with the offer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dashboard.frame.i18n import gettext as _
from dashboard.frame.i18n import ngettext

SHOWN = 6
"""How many of those who were not considered are named."""


def people_in(explain: Mapping[str, Any]) -> set[int]:
    """The ids of everybody whom the explanation speaks of."""
    compared = [part["person"] for part in _parts(explain)]
    left_out = explain.get("not_considered") or {}
    return {*compared, *(int(person) for person in left_out if str(person).isdigit())}


def in_words(explain: Mapping[str, Any], names: Mapping[int, str]) -> Iterator[str]:
    """The explanation as sentences; `names` has the people's names by id.

    A decision of a person, or of a method that this version does not know, is told as it was
    stored.
    """
    if explain.get("by"):
        yield _("A person chose it, not a rule.")
        return
    winner = explain.get("winner")
    if not isinstance(winner, Mapping):
        for name, value in explain.items():
            yield f"{name.replace('_', ' ')}: {value}"
        return
    teams = ", ".join(explain.get("teams") or ())
    if teams:
        yield _("Free, and of a team that may answer this: %(teams)s.", teams=teams)
    if winner.get("starved"):
        yield _("It had waited so long that it went before all that is not urgent.")
    if "fit" in winner:
        yield _(
            "Fit %(fit)s, weight %(weight)s, about %(minutes)s minutes of work.",
            fit=f"{winner['fit']:.0%}",
            weight=f"{winner['weight']:g}",
            minutes=f"{winner['minutes']:.0f}",
        )
    yield from _runner_up(winner, explain.get("runner_up"), names)
    yield from _left_out(explain.get("not_considered") or {}, names)


def _parts(explain: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for name in ("winner", "runner_up"):
        part = explain.get(name)
        if isinstance(part, Mapping) and isinstance(part.get("person"), int):
            yield part


def _runner_up(winner: Mapping[str, Any], other: Any, names: Mapping[int, str]) -> Iterator[str]:
    if not isinstance(other, Mapping):
        yield _("Nobody else could have taken it then.")
        return
    name = names.get(other.get("person", 0), _("someone"))
    best, second = winner.get("index"), other.get("index")
    if not best or second is None:
        yield _("Next would have been %(name)s.", name=name)
    elif second == best:
        yield _("%(name)s would have done as well; a fair coin decided.", name=name)
    else:
        yield _(
            "Next would have been %(name)s, at %(share)s of the rank.",
            name=name,
            share=f"{second / best:.0%}",
        )


def _left_out(left_out: Mapping[str, str], names: Mapping[int, str]) -> Iterator[str]:
    for person, reason in list(left_out.items())[:SHOWN]:
        name = names.get(int(person), _("someone")) if person.isdigit() else person
        yield _("Not %(name)s: %(reason)s.", name=name, reason=reason)
    more = len(left_out) - SHOWN
    if more > 0:
        yield ngettext("And %(num)d more.", "And %(num)d more.", more)
