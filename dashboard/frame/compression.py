"""Compressed answers, but never where a secret is beside text that came with the request.

The length of a compressed answer shows how much of the text repeats the secret (the attack is
BREACH, https://www.breachattack.com). A page with a form has the form's token in it, and shows
what was searched for; so it goes out as it is. What has no token is compressed: scripts and
styles, the parts that scripts fetch, exports.
"""

from __future__ import annotations

from flask import Flask, Response, g
from flask_compress import Compress

COMPRESSED = (
    "application/javascript",
    "application/json",
    "image/svg+xml",
    "text/css",
    "text/csv",
    "text/html",
    "text/javascript",
)
"""Media types worth it. Event streams are none of them: a message must leave at once."""

SMALLEST = 500
"""Bytes below which an answer of a known length is sent as it is."""


def set_up(app: Flask) -> None:
    """Compress what `app` answers, as far as the browser takes it and no secret is in it."""
    app.config.update(
        COMPRESS_REGISTER=False,
        COMPRESS_MIMETYPES=list(COMPRESSED),
        COMPRESS_MIN_SIZE=SMALLEST,
        COMPRESS_ALGORITHM=["zstd", "br", "gzip"],
    )
    compressor = Compress(app)

    @app.after_request
    def compress(response: Response) -> Response:
        if has_form_token():
            return response
        close = getattr(response.response, "close", None)
        answer = compressor.after_request(response)
        if close is not None:
            answer.call_on_close(close)  # a file that is read in pieces: the wrapper leaves it open
        return answer


def has_form_token() -> bool:
    """Whether this request's answer was given a form's token: Flask-WTF keeps it in `g`."""
    return "csrf_token" in g
