"""Reddit through praw."""

from collectors.contract.platform import Action, Platform, Policy
from collectors.platforms.reddit.client import LIMIT_HEADERS, check_credentials
from collectors.platforms.reddit.config import RedditConfig
from collectors.platforms.reddit.posts import REPLY_LENGTH
from collectors.platforms.reddit.responder import RedditResponder
from collectors.platforms.reddit.source import RedditSource

PLATFORM = Platform(
    key="reddit",
    config=RedditConfig,
    source=lambda config, _: RedditSource(config),
    responder=lambda config, _: RedditResponder(config) if config.may_write else None,
    check_credentials=check_credentials,
    reply_length=lambda _: REPLY_LENGTH,
    limit_headers=LIMIT_HEADERS,
    can=frozenset({Action.REPLY}),
    # https://support.reddithelp.com/hc/en-us/articles/16160319875092 (Data API wiki): what was
    # deleted there is deleted here, best within 48 hours.
    # https://support.reddithelp.com/hc/en-us/articles/42728983564564 (Responsible Builder Policy):
    # no unasked-for messages, nobody is identified by matching.
    policy=Policy(may_store_hours=48, may_dm=False, may_merge_identity=False),
)
