"""Messages on the wire: what was ever released stays readable, and rubbish is told by its path."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs import topic_schemas
from earshot.domain import TOMBSTONE, Author, Classification, Classified, Label, Mention, Op
from earshot.log.topics import CLASSIFIED, MENTIONS, TOPICS, Malformed, Topic
from tests.builders import NOON, a_classification, a_classified, a_mention

WIRE = Path(__file__).resolve().parents[3] / "tests" / "data" / "wire"
SECOND = timedelta(seconds=1)
TOPIC: dict[str, Topic[Any]] = {topic.name: topic for topic in TOPICS}


def holds(written: Any, released: Any) -> bool:
    """Whether `written` says all that `released` says; what is new since then has a default."""
    if isinstance(released, dict):
        return all(name in written and holds(written[name], released[name]) for name in released)
    return bool(written == released)


def plain(message: object) -> Any:
    return msgspec.to_builtins(message)


# ---------------------------------------------------------------- released versions


def test_every_topic_has_a_message_of_the_first_version() -> None:
    assert {path.name for path in WIRE.glob("*-0.1.0.json")} == {
        f"{topic.name}-0.1.0.json" for topic in TOPICS
    }


@pytest.mark.parametrize("path", sorted(WIRE.glob("*.json")), ids=lambda path: path.stem)
def test_a_released_message_is_read_whole_and_written_again(path: Path) -> None:
    topic = TOPIC[path.stem.partition("-")[0]]
    raw = path.read_bytes()
    written = msgspec.json.decode(topic.encode(topic.decode(raw)))
    assert holds(written, msgspec.json.decode(raw))


def test_what_the_released_messages_say_is_understood() -> None:
    mention = MENTIONS.decode((WIRE / "mentions-0.1.0.json").read_bytes())
    assert (mention.id, mention.thread_id, mention.op) == ("x:1893", "x:1890", Op.EDIT)
    assert mention.published_at == NOON
    assert mention.address == {"conversation": "1890"}
    classified = CLASSIFIED.decode((WIRE / "classified-0.1.0.json").read_bytes())
    assert classified.mention == mention
    assert classified.classification == a_classification()


def test_a_message_of_the_first_version_is_no_history_and_knows_no_receipt() -> None:
    old = MENTIONS.decode((WIRE / "mentions-0.1.0.json").read_bytes())
    assert (old.received_at, old.edited_at, old.history) == (None, None, False)
    assert old.arrived_at == old.published_at
    new = MENTIONS.decode((WIRE / "mentions-0.2.0.json").read_bytes())
    assert (new.received_at, new.edited_at) == (NOON + SECOND, NOON + 2 * SECOND)
    assert (new.arrived_at, new.history) == (NOON + SECOND, True)


def test_a_message_of_the_first_version_leaves_open_what_its_author_wants() -> None:
    old = CLASSIFIED.decode((WIRE / "classified-0.1.0.json").read_bytes())
    assert (old.classification.wants_answer, old.classification.lang_known) == (None, True)
    assert not old.mention.addressed
    new = CLASSIFIED.decode((WIRE / "classified-0.2.0.json").read_bytes())
    assert (new.classification.wants_answer, new.classification.lang_known) == (0.93, False)
    assert new.mention.addressed


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_the_committed_schema_is_the_codes_and_holds_for_what_is_written(topic: Any) -> None:
    name = f"{topic.name}.json"
    committed = (topic_schemas.FOLDER / name).read_bytes()
    assert committed == topic_schemas.schemas()[name], "stale: run `python -m docs.topic_schemas`"
    schema = msgspec.json.decode(committed)
    message = a_mention() if topic is MENTIONS else a_classified()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(msgspec.json.decode(topic.encode(message)), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({}, schema)


# ---------------------------------------------------------------- other versions


def test_a_post_of_the_brands_own_account_is_known_by_the_address_of_release_0_1() -> None:
    raw = plain(a_mention(address={"own": "1", "post": "7"}))
    del raw["own"]
    ours = MENTIONS.decode(msgspec.json.encode(raw))
    assert ours.own
    assert MENTIONS.decode(MENTIONS.encode(ours)) == ours
    assert not MENTIONS.decode(msgspec.json.encode(raw | {"address": {"own": "0"}})).own


def test_what_a_newer_writer_added_is_ignored() -> None:
    raw = plain(a_mention()) | {"mood": {"of": ["the", "day"]}}
    raw["author"] |= {"verified": True}
    assert MENTIONS.decode(msgspec.json.encode(raw)) == a_mention()


def test_what_an_older_writer_left_out_takes_its_default() -> None:
    names = "brand source platform native_id thread author text url published_at collected_at"
    raw = {name: value for name, value in plain(a_mention()).items() if name in names.split()}
    raw["author"] = {"id": "u", "name": "U"}
    read = MENTIONS.decode(msgspec.json.encode(raw))
    assert (read.op, read.revision, read.queries, read.can_reply) == (Op.CREATE, 0, (), True)
    assert (read.address, read.author) == ({}, Author(id="u", name="U"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"published_at": "2026-03-02T12:00:00"}, "published_at must carry a time zone"),
        ({"collected_at": "2026-03-02T12:00:00"}, "collected_at must carry a time zone"),
        ({"received_at": "2026-03-02T12:00:00"}, "received_at must carry a time zone"),
        ({"edited_at": "2026-03-02T12:00:00"}, "edited_at must carry a time zone"),
        ({"history": "yes"}, "$.history"),
        ({"published_at": "yesterday"}, "$.published_at"),
        ({"op": "explode"}, "$.op"),
        ({"revision": "1"}, "$.revision"),
        ({"author": {"id": 3, "name": "x"}}, "$.author.id"),
        ({"queries": [1]}, "$.queries[0]"),
        ({"text": None}, "$.text"),
    ],
)
def test_a_wrong_field_is_told_by_its_path(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(Malformed) as complaint:
        MENTIONS.decode(msgspec.json.encode(plain(a_mention()) | changes))
    assert said in str(complaint.value)


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"text": "\xff"}', b"[" * 100_000, b"1" * 10_000],
    ids=lambda raw: repr(raw[:12]),
)
def test_rubbish_is_malformed_and_nothing_worse(raw: bytes) -> None:
    with pytest.raises(Malformed):
        MENTIONS.decode(raw)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        MENTIONS.decode(raw)


# ---------------------------------------------------------------- the codec's law

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
times = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- made aware by `timezones`
authors = st.builds(
    Author, id=words, name=words, handle=words, reach=st.integers(0, 2**53), url=words
)
mentions = st.builds(
    Mention,
    brand=words,
    source=words,
    platform=words,
    native_id=words,
    thread=words,
    parent=words,
    author=authors,
    text=words,
    url=words,
    published_at=times,
    collected_at=times,
    op=st.sampled_from(Op),
    revision=st.integers(0, TOMBSTONE),
    lang=words,
    queries=st.lists(words, max_size=3).map(tuple),
    matched=st.lists(words, max_size=3).map(tuple),
    can_reply=st.booleans(),
    reply_bar=words,
    address=st.dictionaries(words, words, max_size=3),
    received_at=st.none() | times,
    edited_at=st.none() | times,
    history=st.booleans(),
)
labels = st.builds(
    Label, value=words, confidence=st.floats(0, 1), reasons=st.lists(words, max_size=3).map(tuple)
)
classifications = st.builds(
    Classification,
    model=words,
    lang=labels,
    sentiment=labels,
    intent=labels,
    urgency=labels,
    spam=labels,
    topics=st.lists(labels, max_size=3).map(tuple),
)


@given(mentions)
def test_a_mention_comes_back_as_it_was_sent(mention: Mention) -> None:
    assert MENTIONS.decode(MENTIONS.encode(mention)) == mention


@given(st.builds(Classified, mention=mentions, classification=classifications))
def test_a_classified_mention_comes_back_as_it_was_sent(classified: Classified) -> None:
    assert CLASSIFIED.decode(CLASSIFIED.encode(classified)) == classified
    assert CLASSIFIED.key(classified) == MENTIONS.key(classified.mention)


@given(mentions)
def test_a_mention_arrives_when_it_says_or_when_the_platform_had_it_if_that_is_later(
    mention: Mention,
) -> None:
    assert mention.arrived_at in (mention.published_at, mention.received_at)
    assert mention.arrived_at >= mention.published_at
    assert mention.received_at is None or mention.arrived_at >= mention.received_at


@given(mentions, mentions)
def test_a_conversation_of_a_source_has_one_key(a: Mention, b: Mention) -> None:
    same = (a.source, a.thread) == (b.source, b.thread)
    assert not same or MENTIONS.key(a) == MENTIONS.key(b)


def test_a_time_elsewhere_is_the_same_moment() -> None:
    raw = plain(a_mention()) | {"published_at": "2026-03-02T14:00:00+02:00"}
    read = MENTIONS.decode(msgspec.json.encode(raw))
    assert read.published_at == NOON
    assert read.published_at - NOON == timedelta(0)
