"""Who writes: several hundred authors, with names in many scripts and very unequal reach."""

from __future__ import annotations

from collectors.platforms.simulator.dice import mix, share
from earshot.domain import Author

TROLL = Author(
    id="u-troll",
    name="TruthHammer 🔨",
    handle="truth_hammer_666",
    reach=23,
    url="https://simulator.example/@truth_hammer_666",
)
"""The one who comes back with the same insults."""

_CROWD = {"en": 320, "es": 70, "de": 60, "fr": 50}

_FIRST = (
    "Ana", "José", "Zoë", "Siân", "Björn", "Łukasz", "Chloé", "Tomás", "Maja", "Øyvind",
    "Priya", "Kwame", "Aoife", "Renée", "Jürgen", "Inês", "Dmitri", "Noor", "Şeyma", "Eñaut",
    "Grace", "Tom", "Hannah", "Marcus", "Lea", "Yusuf", "Olivia", "Ben", "Nia", "Viktor",
)  # fmt: skip
_LAST = (
    "Pérez", "O'Neil", "Müller", "Nguyễn", "Kowalska", "Strauß", "Søndergaard", "D'Angelo",
    "Castaño", "Björnsdóttir", "Okafor", "Smith", "Lefèvre", "Çelik", "Novák", "van der Berg",
    "Iyer", "Brown", "García-Ruiz", "Mac Giolla", "Õunapuu", "Haddad", "Lindqvist", "Ferreira",
)  # fmt: skip
_OTHER_SCRIPTS = (
    "נועה לוי", "איתי כהן", "שירה בן־דוד", "יעל מזרחי", "אורי פרץ",
    "ليلى حداد", "عمر الفاسي", "سارة منصور", "يوسف العلي", "هدى",
    "山田 花子", "佐藤健", "王小明", "陳怡君", "김민준", "이서연",
    "Ольга Петрова", "Іван Коваль", "Ελένη Παππά", "अनिता शर्मा", "สมชาย ใจดี", "გიორგი",
    "✨ luna ✨", "🦊", "🐢 slow & steady 🐢", "Dr. 🍕", "m a r i e 🌙", "[deleted soon]",
)  # fmt: skip
_HANDLES = (
    "night_owl", "pixel", "tea_first", "bikeandbread", "northwind", "loudcat", "quietfox",
    "kitchenlab", "rainyday", "oldradio", "lemonade", "papertrail", "seagull", "mossy",
)  # fmt: skip
_PRESS = (
    ("Noa Adler (Harbour Times)", "noa_harbour", 184_000),
    ("Consumer Watch Daily", "consumerwatchdaily", 512_000),
    ("Rui Tavares | Tech Desk", "rui_techdesk", 96_500),
    ("Mina Okoro ✓", "minaokoro", 1_240_000),
)


def crowd(seed: int, lang: str) -> tuple[Author, ...]:
    """Everybody who writes in `lang`, the most talkative first. The same for the same seed."""
    size = _CROWD[lang]
    salt = mix(seed) ^ mix(int.from_bytes(lang.encode(), "big"))
    people = [_somebody(mix(salt + n), f"{lang}{n}") for n in range(size)]
    for rank, (name, handle, reach) in enumerate(_PRESS):
        # The press writes in every language, seldom, and far from the front of the crowd.
        place = size // 3 + rank * size // 8
        people[place] = _author(f"press{rank}{lang}", name, handle, reach)
    return tuple(people)


def _somebody(bits: int, id: str) -> Author:
    if bits & 7 == 0:
        name = _OTHER_SCRIPTS[(bits >> 8) % len(_OTHER_SCRIPTS)]
    else:
        name = f"{_FIRST[(bits >> 8) % len(_FIRST)]} {_LAST[(bits >> 16) % len(_LAST)]}"
    handle = f"{_HANDLES[(bits >> 24) % len(_HANDLES)]}_{id}"
    # Pareto: most have a few dozen followers, one in some hundred a hundred thousand.
    reach = min(2_000_000, int(15 * (1 - share(bits >> 32)) ** -1.4) - 5)
    return _author(f"u-{id}", name, handle, reach)


def _author(id: str, name: str, handle: str, reach: int) -> Author:
    url = f"https://simulator.example/@{handle}"
    return Author(id=id, name=name, handle=handle, reach=reach, url=url)
