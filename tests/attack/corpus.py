"""Hostile text of our own making. What a payload would make on a page carries the name `pwned`.

A text is harmless exactly if it is shown as it was written: so a page must hold no element and
no attribute called `pwned`, no script may call `pwned()`, and no template may work out a product.
"""

from __future__ import annotations

MARK = "pwned"
"""The name of every element, attribute, function and host that a payload tries to bring in."""

WORKED_OUT = str(91733 * 7789)
"""What a template makes of `91733*7789`."""

ELSEWHERE = "https://pwned.invalid"

MARKUP = (
    '<script>pwned()</script><pwned pwned="1">',
    '"><pwned pwned="1"><script>pwned()</script>',
    "'><pwned pwned='1'><script>pwned()</script>",
    '" pwned="1" autofocus onfocus="pwned()" x="',
    "' pwned='1' onmouseover='pwned()' x='",
    " pwned=1 onclick=pwned() ",
    '<img src="x" onerror="pwned()" pwned="1">',
    f'<img src="{ELSEWHERE}/seen.png" pwned="1">',
    '<svg pwned="1" onload="pwned()"><script>pwned()</script></svg>',
    '<svg><animate onbegin="pwned()" attributeName="x" dur="1s" pwned="1"></svg>',
    '<math><mtext><table><mglyph><style><img src=x onerror=pwned() pwned="1">',
    '<iframe srcdoc="&lt;script&gt;parent.pwned()&lt;/script&gt;" pwned="1"></iframe>',
    f'<object data="{ELSEWHERE}" pwned="1"></object><embed src="{ELSEWHERE}" pwned="1">',
    f'<base href="{ELSEWHERE}" pwned="1"><link rel="stylesheet" href="{ELSEWHERE}" pwned="1">',
    '<meta http-equiv="refresh" content="0;url=javascript:pwned()" pwned="1">',
    f'<form action="{ELSEWHERE}" pwned="1"><input name="csrf_token"><button>Go</button></form>',
    "<style pwned=1>*{background:url(https://pwned.invalid/css)}</style>",
    '<div style="background:url(javascript:pwned())" pwned="1">',
    '<a hx-get="/me" hx-trigger="load" hx-on:load="pwned()" pwned="1">x</a>',
    '</textarea></title></script></option></select><pwned pwned="1">',
    '--><pwned pwned="1"><!--',
    "]]><pwned pwned='1'>",
    '<noscript><p title="</noscript><img src=x onerror=pwned() pwned=1>">',
    "\x3cscript\x3epwned()\x3c/script\x3e<pwned pwned=1>",
    "<\u017fcript>pwned()</\u017fcript><pwned pwned=1>",
    "\uff1cscript\uff1epwned()\uff1c/script\uff1e<pwned pwned=1>",
    "&lt;script&gt;pwned()&lt;/script&gt;<pwned pwned=1>",
    "&#60;pwned pwned=1&#62;<pwned pwned=1>",
)
"""Text that becomes elements, attributes or style where somebody forgot to escape."""

ADDRESSES = (
    "javascript:pwned()",
    "JaVaScRiPt:pwned()",
    "java\tscript:pwned()",
    "\x01javascript:pwned()",
    " javascript:pwned()",
    "data:text/html,<script>pwned()</script>",
    "vbscript:pwned()",
    "blob:https://pwned.invalid/1",
    "file:///etc/passwd",
    'https://pwned.invalid/"onclick="pwned()" pwned="1',
)
"""Text that runs, or leads astray, where it is taken for a link."""

TEMPLATES = (
    "{{91733*7789}}",
    "{% for x in [1] %}{{91733*7789}}{% endfor %}",
    "${91733*7789}",
    "#{91733*7789}",
    "<%= 91733*7789 %>",
    "{{config.SECRET_KEY}}{{91733*7789}}",
    "%(pwned)s %s %n {pwned} {0.__class__}",
    "`${pwned()}`",
)
"""Text that is worked out where somebody takes it for a template or a format."""

ODDITIES = (
    "\u202egnp.exe\u202c \u2066\u2067\u2069",
    "pay\u200bpal\u200c\u200d\ufeff\u2060",
    "a" * 5_000,
    "\u0301" * 500 + "Z\u0334\u0335\u0336\u0337\u0338",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 100,
    "line\u2028separator\u2029paragraph\x85next\x0bvertical\x0cform",
    "\x1b[31mred\x07",
    "../../../../etc/passwd",
    "%2e%2e%2f%00",
    "'; DROP TABLE item; --",
    "\\' OR 1=1 --",
    "\r\nSet-Cookie: pwned=1\r\n\r\n<pwned pwned=1>",
    '=HYPERLINK("https://pwned.invalid","x")',
)
"""Text that breaks layouts, logs, headers, files, spreadsheets or SQL."""

UNSTORABLE = ("\x00", "a\x00b", "\ud800", "\udfff\ud800")
"""What no database takes, and every edge must have removed."""

STORABLE = (*MARKUP, *ADDRESSES, *TEMPLATES, *ODDITIES)
"""Everything that people may write and that is kept as it stands."""
