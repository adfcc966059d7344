"""X through tweepy."""

from collectors.contract.platform import Action, Platform, Policy
from collectors.platforms.x.client import LIMIT_HEADERS, check_credentials
from collectors.platforms.x.config import XConfig
from collectors.platforms.x.posts import REPLY_LENGTH
from collectors.platforms.x.responder import XResponder
from collectors.platforms.x.source import XSource

PLATFORM = Platform(
    key="x",
    config=XConfig,
    source=lambda config, _: XSource(config),
    responder=lambda config, _: XResponder(config) if config.may_write else None,
    check_credentials=check_credentials,
    reply_length=lambda _: REPLY_LENGTH,
    limit_headers=LIMIT_HEADERS,
    can=frozenset({Action.REPLY}),
    # https://docs.x.com/developer-terms/policy: what was deleted or changed goes within 24 hours,
    # private messages need consent, and so does joining an account with who has it elsewhere.
    policy=Policy(may_store_hours=24, may_dm=False, may_merge_identity=False),
)
