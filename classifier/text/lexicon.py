"""Our own word lists: what denies, what is good, what is bad, what means nothing by itself."""

from __future__ import annotations

_DENIALS = """
no not never none nothing cannot without hardly ain't aint aren't arent can't cant couldn't couldnt
didn't didnt doesn't doesnt don't dont hadn't hasn't hasnt haven't havent isn't isnt shouldn't
shouldnt wasn't wasnt weren't won't wont wouldn't wouldnt
"""
_GOOD = """
amazing awesome beautiful best brilliant delighted easy enjoy enjoyed excellent excited fantastic
fast favorite favourite friendly glad good great happy helpful impressed kind kudos like liked love
loved lovely nice perfect perfectly pleased recommend recommended reliable smooth solid super superb
thank thankful thanks thx well win wonderful worth wow yay
😀 😁 😂 😃 😄 😊 😍 🥰 👍 👏 🎉 ❤ :) :-) :d
"""
_BAD = """
angry annoyed annoying appalling awful bad broke broken bug buggy cancelled crap crash crashes
crashing delayed disappointed disappointing disgusting down dreadful error errors expensive fail
failed failing fails fault faulty frustrated frustrating garbage hate hated horrible ignored issue
issues joke lost mess missing pathetic poor problem problems ridiculous rip-off rubbish rude ruined
sad scam shame shit slow sucks terrible trash unacceptable unhappy unusable upset useless waiting
waste worse worst wrong
😠 😡 😢 😞 👎 :( :-(
"""
_EMPTY = """
about after all and any are but can for from get had has have her him his how its just not one our
out people she that the their them then they this was what when where which who why will with you
your
"""

DENIALS = frozenset(_DENIALS.split())
GOOD = frozenset(_GOOD.split())
BAD = frozenset(_BAD.split())
EMPTY = frozenset(_EMPTY.split())
