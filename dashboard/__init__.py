"""The desk: people triage, answer and measure. `create_app` makes the Flask application."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from flask import Flask
from jinja2 import ChoiceLoader, FileSystemLoader, StrictUndefined

from dashboard.accounts import auth, me
from dashboard.admin import dead_letters, health
from dashboard.answering import forms as reply_forms
from dashboard.answering import pages as queue_pages
from dashboard.board import pages as board_pages
from dashboard.frame import (
    compression,
    errors,
    formats,
    home,
    i18n,
    request_metrics,
    security,
    static_urls,
)
from dashboard.frame.app_context import EXTENSION, AppContext, WebSettings
from dashboard.frame.inputs import ColumnNumber
from dashboard.lists import pages as list_pages
from dashboard.live import pages as live_pages
from dashboard.thread import pages as thread_pages
from dashboard.triage import forms as triage_forms
from dashboard.triage import pages as triage_pages
from earshot.brand import Brand
from earshot.database.db import Sessions
from earshot.runtime.metrics import Metrics

TEMPLATES = tuple(sorted(Path(__file__).parent.glob("*/templates")))
"""Each area keeps its own; a template's name is unique among all of them (a test counts)."""

PAGES = (
    home.pages,
    auth.pages,
    me.pages,
    triage_pages.pages,
    triage_forms.pages,
    thread_pages.pages,
    queue_pages.pages,
    reply_forms.pages,
    list_pages.pages,
    board_pages.pages,
    health.pages,
    dead_letters.pages,
    live_pages.pages,
)


def create_app(
    *,
    sessions: Sessions,
    readers: Sessions,
    brands: Mapping[str, Brand],
    web: WebSettings,
    clock: Callable[[], datetime],
    metrics: Metrics | None = None,
) -> Flask:
    """The desk as a WSGI application.

    `sessions` write and `readers` only read the database; `brands` maps a slug to what its
    operator wrote; `clock` answers the time now, aware and in UTC. `metrics` counts what is
    asked and answered.
    """
    metrics = metrics or Metrics("serve")
    app = Flask(__name__)
    app.jinja_loader = ChoiceLoader([FileSystemLoader(folder) for folder in TEMPLATES])
    app.extensions[EXTENSION] = AppContext(
        sessions=sessions, readers=readers, brands=brands, web=web, clock=clock, metrics=metrics
    )
    app.jinja_options["undefined"] = StrictUndefined
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.url_map.converters["int"] = ColumnNumber
    compression.set_up(app)  # first: what is registered first runs last on an answer
    request_metrics.set_up(app, metrics)
    errors.set_up(app)
    security.set_up(
        app,
        secret_key=web.secret_key,
        secure_cookies=web.secure_cookies,
        proxies=web.proxies,
    )
    i18n.set_up(app)
    auth.set_up(app)
    formats.set_up(app)
    static_urls.install(app)
    for pages in PAGES:
        app.register_blueprint(pages)
    return app
