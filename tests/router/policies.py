"""A policy for tests: small, and every part of it matters to some test."""

# ruff: noqa: E501 -- a policy reads best with one rule a line

from __future__ import annotations

from earshot import yaml_source
from router.policy import policy_file
from router.policy.policy import Policy

TEXT = """\
version: 1
timezone: Europe/Madrid
calendars:
  office: {hours: {mon-fri: "08:00-20:00"}}
  always: {hours: {mon-sun: "00:00-24:00"}}
intake:
  - {id: spam, if: {spam: {at_least: 0.8}}, do: dismiss, reason: "spam"}
  - {id: asks, if: {intent: [question, complaint], intent_confidence: {above: 0.5}}, do: queue, reason: "wants an answer"}
  - {id: unsure, if: {intent: [question, complaint]}, do: triage, reason: "unsure"}
  - {id: rest, if: true, do: dismiss, reason: "no answer wanted"}
priorities:
  - {id: P1, if: {topic: outage}, first_reply: 15m, next_reply: 20m, weight: 8, clock: always}
  - {id: P3, if: true, first_reply: 2h, next_reply: 4h, weight: 2, clock: office}
boost:
  - {if: {reach: {at_least: 20000}}, by: 3, flag: high_reach}
teams:
  tech: {match: {topic: outage}, members: {any: [{skills.tech: {at_least: 1}}, {teams: tech}]}}
  care: {match: true, members: {teams: care}}
routes:
  - {team: tech, steps: [{after: 50%, to: [care]}]}
defaults:
  reserve: {accept_within: 120s, suspect_for: 10m, unseen_after: 10m, max_offers: 3}
  slots: 4
  binding: late
"""

IN_CEL = """\
version: 1
timezone: Europe/Madrid
calendars:
  office: {hours: {mon-fri: "08:00-20:00"}}
  always: {hours: {mon-sun: "00:00-24:00"}}
intake:
  - {id: spam, when: "item.spam >= 0.8", do: dismiss, reason: "spam"}
  - {id: asks, when: "item.intent in ['question', 'complaint'] && item.intent_confidence > 0.5", do: queue, reason: "wants an answer"}
  - {id: unsure, when: "item.intent in ['question', 'complaint']", do: triage, reason: "unsure"}
  - {id: rest, when: "true", do: dismiss, reason: "no answer wanted"}
priorities:
  - {id: P1, when: "item.topic == 'outage'", first_reply: 15m, next_reply: 20m, weight: 8, clock: always}
  - {id: P3, when: "true", first_reply: 2h, next_reply: 4h, weight: 2, clock: office}
boost:
  - {when: "item.reach >= 20000", by: 3, flag: high_reach}
teams:
  tech: {match: "item.topic == 'outage'", members: "agent.skills.tech >= 1 || 'tech' in agent.teams"}
  care: {match: "true", members: "'care' in agent.teams"}
routes:
  - {team: tech, steps: [{after: 50%, to: [care]}]}
defaults:
  reserve: {accept_within: 120s, suspect_for: 10m, unseen_after: 10m, max_offers: 3}
  slots: 4
  binding: late
"""
"""The same with its conditions in CEL."""


def a_policy(*changes: tuple[str, str], text: str = TEXT) -> Policy:
    """The policy of `text` with each (old, new) replaced."""
    for old, new in changes:
        if old not in text:
            raise ValueError(f"the policy has no {old!r}")
        text = text.replace(old, new)
    return policy_file.build(yaml_source.parse(text, "routing.yaml"), "acme")
