"""The queue and the composer: order, taking, drafts, and a reply's way into the outbox."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from collectors.platforms.bluesky.posts import REPLY_LENGTH as OF_BLUESKY
from collectors.platforms.x.posts import REPLY_LENGTH as OF_X
from earshot.database.tables import (
    AssignmentRow,
    DraftRow,
    ItemRow,
    MembershipRow,
    MentionRow,
    PersonRow,
    ReplyRow,
)
from earshot.domain import ItemState, ReplyState
from earshot.items.reply_length import FALLBACK, ReplyLength
from tests.builders import NOON
from tests.dashboard.seed import add_assignment, add_item, add_reply, set_reply_length
from tests.dashboard.world import Browser, World, one, parsed


@pytest.fixture
def world(world_on_each_database: World) -> World:
    return world_on_each_database


def add_mine(world: World, number: int, due_min: float = 55, **changes: Any) -> int:
    """An item that Bob holds, due in so many minutes."""
    held: dict[str, Any] = {
        "state": ItemState.ASSIGNED,
        "assignee_id": world.people["bob"],
        "due_at": NOON + timedelta(minutes=due_min),
    }
    with world.sessions.begin() as writing:
        return add_item(writing, number, **held | changes)


def item(world: World, number: int) -> ItemRow:
    return world.read(lambda s: s.get(ItemRow, number))  # type: ignore[no-any-return]


def replies(world: World) -> list[ReplyRow]:
    return list(world.read(lambda s: s.scalars(select(ReplyRow).order_by(ReplyRow.id)).all()))


def composed(browser: Browser, number: int) -> dict[str, str]:
    """The fields of the composer as the page gives them."""
    form = one(browser.get(f"/queue/{number}"), "#composer")
    return {
        field.attributes["name"] or "": field.attributes["value"] or ""
        for field in form.css("input[type=hidden]")
    }


def send(browser: Browser, number: int, text: str, **changes: str) -> TestResponse:
    fields = composed(browser, number) | {"text": text, "then": "answered", **changes}
    return browser.post(f"/queue/{number}/send", fields)


def test_one_s_items_stand_in_groups_by_deadline(world: World) -> None:
    late, risky, far, none = (
        add_mine(world, 1, -4.2),
        add_mine(world, 2, 12),
        add_mine(world, 3, 55),
        add_mine(world, 4, due_at=None),
    )
    with world.sessions.begin() as writing:
        add_item(writing, 5, state=ItemState.ASSIGNED, assignee_id=world.people["rita"])
    page = parsed(world.browser("bob").get("/queue"))
    shown = [int(row.attributes["data-id"] or 0) for row in page.css(".row")]
    assert shown == [late, risky, far, none]
    groups = [group.attributes["data-group"] for group in page.css(".group")]
    assert groups == ["overdue", "risk", "later"]
    badges = [badge.text() for badge in page.css(".row .sla")]
    assert badges == ["Overdue 4:12", "At risk 12 min", "Due in 55 min"]


def test_take_next_takes_the_most_urgent_item_of_one_s_teams(world: World) -> None:
    with world.sessions.begin() as writing:
        waits = {"state": ItemState.QUEUED, "team": "payments"}
        later = add_item(writing, 1, due_at=NOON + timedelta(hours=2), **waits)
        given_back = add_item(
            writing,
            2,
            due_at=NOON + timedelta(minutes=1),
            excluded=[world.people["bob"]],
            **waits,
        )
        soon = add_item(writing, 3, due_at=NOON + timedelta(minutes=5), **waits)
        add_item(writing, 4, due_at=NOON, state=ItemState.QUEUED, team="parcels")
    browser = world.browser("bob")
    assert browser.post("/queue/next").headers["Location"] == f"/queue/{soon}"
    assert browser.post("/queue/next").headers["Location"] == f"/queue/{later}"
    assert browser.post("/queue/next").headers["Location"] == "/queue"
    assert item(world, soon).assignee_id == world.people["bob"]
    assert item(world, given_back).state == ItemState.QUEUED


def test_giving_back_keeps_the_age_and_is_remembered(world: World) -> None:
    mine = add_mine(world, 1)
    started = item(world, mine).clock_started_at
    assert world.browser("bob").post(f"/queue/{mine}/release", {"expect": "1"}).status_code == 302
    after = item(world, mine)
    assert (after.state, after.assignee_id, after.excluded) == (
        ItemState.QUEUED,
        None,
        [world.people["bob"]],
    )
    assert after.clock_started_at == started
    ended = world.read(lambda s: s.scalars(select(AssignmentRow.state)).all())
    assert ended == ["ended"]


def test_typing_accepts_an_offer_begins_the_answer_and_keeps_the_draft(world: World) -> None:
    with world.sessions.begin() as writing:
        offered = add_item(writing, 1, state=ItemState.QUEUED)
        writing.execute(
            update(ItemRow).values(state=ItemState.ASSIGNED, assignee_id=world.people["bob"])
        )
        add_assignment(writing, offered, world.people["bob"], state="offered")
    browser = world.browser("bob")
    one(browser.get(f"/queue/{offered}"), "article[data-offered]")
    assert browser.post(f"/queue/{offered}/draft", {"text": "We are"}).status_code == 204
    assert world.read(lambda s: s.scalar(select(AssignmentRow.state))) == "accepted"
    assert item(world, offered).state == ItemState.ANSWERING
    assert one(browser.get(f"/queue/{offered}"), "#reply").text() == "We are"
    browser.post(f"/queue/{offered}/draft", {"text": " "})
    assert world.read(lambda s: s.scalars(select(DraftRow)).all()) == []


def test_sending_queues_one_reply_after_the_undo_delay_and_goes_on(world: World) -> None:
    first, second = add_mine(world, 1, 10), add_mine(world, 2, 20)
    answer = send(world.browser("bob"), first, "It works again.\r\nSorry!")
    assert answer.headers["Location"].startswith(f"/queue/{second}?sent=")
    (reply,) = replies(world)
    assert (reply.state, reply.text, reply.then) == (
        "queued",
        "It works again.\nSorry!",
        "answered",
    )
    assert reply.not_before == NOON + timedelta(seconds=10)
    assert (reply.mention_id, reply.parent, reply.thread) == ("simulator:1", "1", "1")
    assert reply.address == {"post": "1"}
    assert len(reply.key) == 32
    assert item(world, first).state == ItemState.SENDING
    assert item(world, first).assignee_id == world.people["bob"]
    page = world.browser("bob").get(answer.headers["Location"])
    assert "Sending your reply in 10 s" in one(page, ".sent-bar").text()


def test_a_form_that_arrives_twice_is_one_reply(world: World) -> None:
    mine = add_mine(world, 1)
    browser = world.browser("bob")
    fields = composed(browser, mine) | {"text": "It works again.", "then": "answered"}
    assert browser.post(f"/queue/{mine}/send", fields).status_code == 302
    assert browser.post(f"/queue/{mine}/send", fields).status_code == 302
    assert len(replies(world)) == 1


def test_a_second_reply_is_refused_and_its_text_kept(world: World) -> None:
    mine = add_mine(world, 1)
    here, there = world.browser("bob"), world.browser("bob")
    late = composed(there, mine) | {"text": "Did you try again?", "then": "answered"}
    assert send(here, mine, "It works again.").status_code == 302
    answer = there.post(f"/queue/{mine}/send", late)
    assert answer.status_code == 409
    assert "“It works again.”" in one(answer, "#notice").text()
    assert "Did you try again?" in answer.text
    assert len(replies(world)) == 1


def test_an_item_that_went_to_a_colleague_is_not_answered_and_the_text_kept(world: World) -> None:
    mine = add_mine(world, 1)
    browser = world.browser("bob")
    fields = composed(browser, mine) | {"text": "It works again.", "then": "answered"}
    world.browser("rita").post(f"/queue/{mine}/take", {"expect": "1"})
    answer = browser.post(f"/queue/{mine}/send", fields)
    assert answer.status_code == 409
    assert "It works again." in answer.text
    assert "Rita" in answer.text
    assert replies(world) == []


FAMILY = "👨‍👩‍👧‍👦"


@pytest.mark.parametrize(
    ("bounds", "sign", "most", "said"),
    [
        (OF_X, FAMILY, 140, "282 / 280"),
        (OF_X, "お", 140, "282 / 280"),
        (OF_BLUESKY, "e\u0301", 300, "301 / 300"),
        (OF_BLUESKY, FAMILY, 120, "3025 / 3000"),
        (FALLBACK, FAMILY, 5_000, "5001 / 5000"),
    ],
    ids=["emoji on X", "kana on X", "graphemes", "bytes", "a source that has not said"],
)
def test_a_reply_is_measured_as_the_source_of_its_mention_says(
    world: World, bounds: ReplyLength, sign: str, most: int, said: str
) -> None:
    mine = add_mine(world, 1)
    if bounds is not FALLBACK:
        with world.sessions.begin() as writing:
            set_reply_length(writing, bounds)
    browser = world.browser("bob")
    long = send(browser, mine, sign * (most + 1))
    assert long.status_code == 422
    assert said in one(long, "#notice").text()
    assert one(long, "#counter").text() == said
    assert sign * (most + 1) in long.text
    assert send(browser, mine, sign * most).status_code == 302


def test_another_source_s_length_is_not_taken(world: World) -> None:
    mine = add_mine(world, 1)
    with world.sessions.begin() as writing:
        set_reply_length(writing, OF_X, source="another")
    assert send(world.browser("bob"), mine, "a" * 281).status_code == 302


def test_an_empty_reply_is_refused(world: World) -> None:
    mine = add_mine(world, 1)
    assert send(world.browser("bob"), mine, " \n ").status_code == 422
    assert replies(world) == []


def test_undo_takes_the_reply_back_into_the_draft(world: World) -> None:
    mine = add_mine(world, 1)
    browser = world.browser("bob")
    send(browser, mine, "It works again.")
    (reply,) = replies(world)
    assert browser.post(f"/replies/{reply.id}/withdraw").headers["Location"] == f"/queue/{mine}"
    assert replies(world)[0].state == ReplyState.WITHDRAWN
    assert item(world, mine).state == ItemState.ANSWERING
    assert one(browser.get(f"/queue/{mine}"), "#reply").text() == "It works again."
    assert send(browser, mine, "It really works again.").status_code == 302


@pytest.mark.parametrize(
    "on_its_way",
    [{"state": "sending"}, {"lease_owner": "send-1"}, {"attempts": 1}, {"state": "confirmed"}],
)
def test_a_reply_on_its_way_can_not_be_withdrawn(
    world: World, on_its_way: dict[str, object]
) -> None:
    mine = add_mine(world, 1)
    browser = world.browser("bob")
    send(browser, mine, "It works again.")
    with world.sessions.begin() as writing:
        writing.execute(update(ReplyRow).values(on_its_way))
    browser.post(f"/replies/{replies(world)[0].id}/withdraw")
    assert replies(world)[0].state != ReplyState.WITHDRAWN
    assert item(world, mine).state == ItemState.SENDING


def test_nobody_withdraws_a_colleague_s_reply(world: World) -> None:
    mine = add_mine(world, 1)
    send(world.browser("bob"), mine, "It works again.")
    world.browser("rita").post(f"/replies/{replies(world)[0].id}/withdraw")
    assert replies(world)[0].state == ReplyState.QUEUED


@pytest.fixture
def failed(world: World) -> tuple[int, int]:
    mine = add_mine(world, 1, state=ItemState.ANSWERING)
    with world.sessions.begin() as writing:
        reply = add_reply(
            writing,
            mine,
            world.people["bob"],
            state=ReplyState.FAILED,
            error="the author deleted the post",
        )
    return mine, reply


def test_a_failed_reply_shows_its_reason_and_goes_out_again_under_the_same_key(
    world: World, failed: tuple[int, int]
) -> None:
    mine, reply = failed
    browser = world.browser("bob")
    page = browser.get(f"/queue/{mine}")
    assert "the author deleted the post" in one(page, ".post.failed").text()
    key = replies(world)[0].key
    browser.post(f"/replies/{reply}/retry")
    (again,) = replies(world)
    assert (again.state, again.forced, again.key, again.error) == ("queued", False, key, "")
    assert item(world, mine).state == ItemState.SENDING


def test_a_failed_reply_does_not_go_out_beside_another(
    world: World, failed: tuple[int, int]
) -> None:
    mine, reply = failed
    browser = world.browser("bob")
    assert send(browser, mine, "Another answer.").status_code == 302
    assert browser.post(f"/replies/{reply}/retry", {"item": str(mine)}).status_code == 409
    assert [one.state for one in replies(world)] == ["failed", "queued"]


def test_send_anyway_says_so_to_the_worker(world: World, failed: tuple[int, int]) -> None:
    world.browser("bob").post(f"/replies/{failed[1]}/retry", {"forced": "1"})
    assert replies(world)[0].forced


def test_editing_a_failed_reply_makes_it_the_draft(world: World, failed: tuple[int, int]) -> None:
    mine, reply = failed
    browser = world.browser("bob")
    browser.post(f"/replies/{reply}/edit")
    assert one(browser.get(f"/queue/{mine}"), "#reply").text() == "It works again, sorry!"
    assert replies(world)[0].state == ReplyState.WITHDRAWN


def test_where_the_platform_bars_a_reply_the_composer_says_why(world: World) -> None:
    mine = add_mine(world, 1, can_reply=False, reply_bar="only people they follow may reply")
    browser = world.browser("bob")
    page = browser.get(f"/queue/{mine}")
    assert "disabled" in one(page, "#reply").attributes
    notice = one(page, "#composer .notice")
    assert "only people they follow may reply" in notice.text()
    assert notice.css_first("a").attributes["href"] == "https://example.org/1"  # type: ignore[union-attr]
    assert send(browser, mine, "Hello").status_code == 422


def test_an_edit_of_the_post_goes_along_as_the_revision_the_writer_saw(world: World) -> None:
    mine = add_mine(world, 1, revision=3)
    browser = world.browser("bob")
    fields = composed(browser, mine)
    with world.sessions.begin() as writing:
        writing.execute(update(MentionRow).values(revision=4))
    browser.post(f"/queue/{mine}/send", fields | {"text": "It works again.", "then": "closed"})
    (reply,) = replies(world)
    assert (reply.mention_revision, reply.then) == (3, "closed")


def test_the_queue_says_why_the_item_came_to_this_person(world: World) -> None:
    page = world.browser("bob").get(f"/queue/{add_mine(world, 1)}")
    said = one(page, "aside").text()
    assert "in a team that can answer this: payments." in said
    assert "Fit 100%, weight 2, about 5 minutes of work." in said
    assert "Nobody else could take it at that time." in said
    assert "Bob was off duty." in said


def test_a_deadline_beyond_a_day_shows_its_time_in_the_zone_of_the_reader(world: World) -> None:
    add_mine(world, 1, 45.5 * 60)
    add_mine(world, 2, 8 * 24 * 60)
    with world.sessions.begin() as writing:
        writing.execute(update(PersonRow).values(timezone="Asia/Tokyo"))
    page = parsed(world.browser("bob").get("/queue"))
    badges = [badge.text() for badge in page.css(".row .sla")]
    assert badges == ["Due Wed 18:30", "Due 10 Mar 21:00"]
    assert [one.attributes["data-at"] for one in page.css(".row .sla")] == [
        badge.removeprefix("Due ") for badge in badges
    ]


def test_an_item_that_a_person_assigned_says_who_did(world: World) -> None:
    mine = add_mine(world, 1)
    chosen = {"by": f"person:{world.people['rita']}", "why": "a person chose"}
    with world.sessions.begin() as writing:
        writing.execute(update(AssignmentRow).values(explain=chosen, policy_version="by hand"))
    said = one(world.browser("bob").get(f"/queue/{mine}"), "aside").text()
    assert "Assigned by Rita, not by a rule." in said
    assert "Policy" not in said


def test_earlier_answers_on_the_same_topic_are_at_hand(world: World) -> None:
    with world.sessions.begin() as writing:
        other = add_item(writing, 7, state=ItemState.ANSWERED)
        add_reply(writing, other, world.people["rita"], text="Please try again now.")
        parcels = add_item(writing, 8, state=ItemState.ANSWERED, topic="delivery")
        add_reply(writing, parcels, world.people["rita"], text="It is on its way.", number="8")
    page = world.browser("bob").get(f"/queue/{add_mine(world, 1)}")
    assert one(page, "[data-insert]").attributes["data-insert"] == "Please try again now."


def test_done_without_a_reply_is_for_the_holder_only(world: World) -> None:
    first, second = add_mine(world, 1, 10), add_mine(world, 2, 20)
    assert world.browser("rita").post(f"/queue/{first}/done", {"expect": "1"}).status_code == 409
    answer = world.browser("bob").post(f"/queue/{first}/done", {"expect": "1"})
    assert answer.headers["Location"] == f"/queue/{second}"
    assert item(world, first).state == ItemState.DISMISSED


def test_going_off_duty_is_recorded(world: World) -> None:
    browser = world.browser("bob")
    browser.post("/me/duty", {"on_duty": "off"})
    on_duty = world.read(
        lambda s: s.scalar(
            select(MembershipRow.on_duty).where(MembershipRow.person_id == world.people["bob"])
        )
    )
    assert on_duty is False
    assert "Off duty" in one(browser.get("/queue"), "form[action='/me/duty']").text()
