"""Public holidays of a country or region, as dates. Pure: tables, no clock and no network."""

from __future__ import annotations

import re
from datetime import date
from functools import cache

_LOCALE = re.compile(r"[a-z]{2}-([A-Z]{2})")
_ISO_3166 = re.compile(r"([A-Z]{2})(?:-([A-Z0-9]{1,3}))?")


@cache
def public_holidays(code: str, year: int) -> frozenset[date]:
    """The public holidays of `year`.

    `code` is a country (`ES`), a region of it (`ES-MD`, ISO 3166-2) or a locale (`es-ES`,
    which means its country). Raises ValueError for a code that is not known.
    """
    # A third of a second to import, and a calendar without public holidays needs none of it.
    import holidays  # noqa: PLC0415

    locale, region = _LOCALE.fullmatch(code), _ISO_3166.fullmatch(code)
    if locale:
        country, subdivision = locale[1], None
    elif region:
        country, subdivision = region[1], region[2]
    else:
        raise ValueError(f"{code!r} is not a country; write it like ES, ES-MD or es-ES")
    try:
        days = holidays.country_holidays(country, subdiv=subdivision, years=year)
    except NotImplementedError as error:
        raise ValueError(f"no public holidays are known for {code!r}: {error}") from error
    return frozenset(days)
