"""OAuth 1 signatures as X verifies them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

from tests.collectors.platforms.loopback import Request

_SIGNED_FOR = "https://api.twitter.com"


def signed(request: Request, header: str, keys: Mapping[str, str]) -> bool:
    """Verify an OAuth 1 HMAC-SHA1 signature (RFC 5849, 3.4) made for X's own address."""
    pairs = re.findall(r'(\w+)="([^"]*)"', header)
    params = {name: unquote(value) for name, value in pairs if name != "realm"}
    signature = params.pop("oauth_signature", "")
    every = sorted(
        (quote(k, safe="~"), quote(v, safe="~")) for k, v in {**request.query, **params}.items()
    )
    listed = "&".join(f"{key}={value}" for key, value in every)
    url = quote(f"{_SIGNED_FOR}{request.path}", safe="~")
    text = f"{request.method}&{url}&{quote(listed, safe='~')}"
    key = f"{keys['consumer_secret']}&{keys['access_token_secret']}"
    made = hmac.new(key.encode(), text.encode(), hashlib.sha1).digest()
    return (
        hmac.compare_digest(base64.b64encode(made).decode(), signature)
        and params.get("oauth_consumer_key") == keys["consumer_key"]
        and params.get("oauth_token") == keys["access_token"]
    )
