"""The conditions of a routing policy as its file has them: structured, or CEL. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from earshot.yaml_source import Step, YamlSource
from router.policy.expression import ExpressionError, Fields, compile_condition
from router.policy.facts import ITEM
from router.policy.policy_schema import RulePart
from router.policy.structure import Condition, Structure, StructureError, compile_structure


def rule_condition(source: YamlSource, part: RulePart, *path: Step) -> Condition:
    """The condition of a rule, which has `if` or `when`. Raises OperatorError."""
    if part.when and part.if_ is not None:
        raise source.error(
            "a rule has `if:` or `when:`, not both; say all of it in one of them", *path, "when"
        )
    if part.when:
        return condition(source, part.when, ITEM, *path, "when")
    if part.if_ is None:
        raise source.error("the rule has no condition; add `if:`", *path)
    return _structure(source, part.if_, ITEM, *path, "if")


def condition(source: YamlSource, said: object, fields: Fields, *path: Step) -> Condition:
    """A text is CEL, anything else a structured condition. Raises OperatorError."""
    if not isinstance(said, str):
        return _structure(source, said, fields, *path)
    try:
        return compile_condition(said, fields)
    except ExpressionError as error:
        raise source.error(str(error), *path) from error


def _structure(source: YamlSource, said: object, fields: Fields, *path: Step) -> Structure:
    try:
        return compile_structure(said, fields)
    except StructureError as error:
        raise source.error(str(error), *path, *error.path) from error


def last_takes_all(
    source: YamlSource, conditions: Sequence[Condition], section: str, key: str
) -> None:
    """Raise OperatorError unless the last of `conditions` always holds."""
    if not conditions or not conditions[-1].always:
        raise source.error(
            f"the last of {section} must have {key}: true, so that nothing is left over", section
        )
