"""Bluesky: Jetstream in, the account's own server out."""

from collectors.contract.platform import Action, Platform, Policy
from collectors.platforms.bluesky.client import LIMIT_HEADERS, check_credentials
from collectors.platforms.bluesky.config import BlueskyConfig
from collectors.platforms.bluesky.posts import REPLY_LENGTH
from collectors.platforms.bluesky.responder import BlueskyResponder
from collectors.platforms.bluesky.source import BlueskySource

PLATFORM = Platform(
    key="bluesky",
    config=BlueskyConfig,
    source=lambda config, _: BlueskySource(config),
    responder=lambda config, _: BlueskyResponder(config) if config.identifier else None,
    check_credentials=check_credentials,
    reply_length=lambda _: REPLY_LENGTH,
    limit_headers=LIMIT_HEADERS,
    can=frozenset({Action.REPLY}),
    # https://bsky.social/about/support/community-guidelines: no unasked-for messages, no
    # personal information joined without consent. No deadline is named: deletions are streamed.
    policy=Policy(may_store_hours=None, may_dm=False, may_merge_identity=False),
)
