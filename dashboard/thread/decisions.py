"""Why an item came to somebody, in sentences. Reads what the router stored with the offer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dashboard.frame.i18n import gettext as _
from dashboard.frame.i18n import lazy, ngettext
from dashboard.thread.audit import actor_name

_NOT_CHOSEN: Mapping[str, str] = {
    "has work to do": lazy("%(name)s was busy."),
    "gave it back": lazy("%(name)s returned it to the queue."),
    "not in the team": lazy("%(name)s is not in the team."),
    "does not speak the language": lazy("%(name)s does not speak the language."),
    "off duty": lazy("%(name)s was off duty."),
    "not seen lately": lazy("%(name)s was away."),
    "silent after an offer": lazy("%(name)s did not accept an earlier offer."),
    "poor fit": lazy("%(name)s was not a good fit."),
}
"""By the reason that the router stored."""

SHOWN = 6
"""How many of those who were not considered are named."""


def people_in(explain: Mapping[str, Any]) -> set[int]:
    """The ids of everybody the explanation names."""
    compared = [part["person"] for part in _parts(explain)]
    left_out = explain.get("not_considered") or {}
    _role, _sep, chooser = str(explain.get("by", "")).partition(":")
    people = (*left_out, chooser)
    return {*compared, *(int(person) for person in people if str(person).isdigit())}


def in_words(explain: Mapping[str, Any], names: Mapping[int, str]) -> Iterator[str]:
    """The explanation as sentences; `names` has the people's names by id.

    A decision of a method that this version does not know is shown as it was stored.
    """
    if explain.get("by"):
        yield _("Assigned by %(name)s, not by a rule.", name=actor_name(str(explain["by"]), names))
        return
    winner = explain.get("winner")
    if not isinstance(winner, Mapping):
        for name, value in explain.items():
            yield f"{name.replace('_', ' ')}: {value}"
        return
    teams = ", ".join(explain.get("teams") or ())
    if teams:
        yield _("Free, and in a team that can answer this: %(teams)s.", teams=teams)
    if winner.get("starved"):
        yield _("It had waited so long that it went ahead of everything that is not urgent.")
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
        yield _("Nobody else could take it at that time.")
        return
    name = names.get(other.get("person", 0), _("someone"))
    best, second = winner.get("index"), other.get("index")
    if not best or second is None:
        yield _("Next choice: %(name)s.", name=name)
    elif second == best:
        yield _("%(name)s ranked equally; the choice was random.", name=name)
    else:
        yield _(
            "Next choice: %(name)s, with %(share)s of the score.",
            name=name,
            share=f"{second / best:.0%}",
        )


def _left_out(left_out: Mapping[str, str], names: Mapping[int, str]) -> Iterator[str]:
    for person, reason in list(left_out.items())[:SHOWN]:
        name = names.get(int(person), _("someone")) if person.isdigit() else person
        yield _(_NOT_CHOSEN.get(reason, "%(name)s: %(reason)s."), name=name, reason=reason)
    more = len(left_out) - SHOWN
    if more > 0:
        yield ngettext("And %(num)d other.", "And %(num)d others.", more)
