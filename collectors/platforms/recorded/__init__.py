"""A recorded file as a source."""

from collectors.contract.platform import Platform, Policy
from collectors.platforms.recorded.config import RecordedConfig
from collectors.platforms.recorded.source import RecordedSource, check_credentials
from earshot.items.reply_length import FALLBACK

PLATFORM = Platform(
    key="recorded",
    config=RecordedConfig,
    source=lambda config, _: RecordedSource(config),
    responder=lambda *_: None,
    check_credentials=check_credentials,
    reply_length=lambda _: FALLBACK,
    limit_headers=(),
    can=frozenset(),
    # The operator's own file. Whom its authors are elsewhere is not known.
    policy=Policy(may_store_hours=None, may_dm=False, may_merge_identity=False),
)
