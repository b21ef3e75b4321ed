"""Characters that look like those of a cfg and are others: full-width commas, dashes, Cyrillic letters, no width.

Decision: such a character is named by its number, because in many fonts nothing else tells it apart.
"""

from __future__ import annotations

import unicodedata

# What Unicode's own folding (NFKC) does not lead back to ASCII.
_ALIKE = {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\u30fc", "-"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u300c\u300d\u00ab\u00bb", '"'),
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u00b4", "'"),
    **dict.fromkeys("\u3001\u060c\u066b\u066c", ","),
    **dict.fromkeys("\u3002\u00b7\u2024\u06d4", "."),
    **dict.fromkeys("\u2217\u22c6", "*"), **dict.fromkeys("\u2044\u2215", "/"),
    "\u00d7": "x", "\u2715": "x", "\u2a2f": "x", "\u2236": ":", "\u37fe": ";", "\u3010": "[", "\u3011": "]",
    **dict(zip("\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445\u0456\u0455\u0458\u0501",
               "abekmhopctyxisjd", strict=True)),
    **dict(zip("\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406\u0405\u0408",
               "ABEKMHOPCTYXISJ", strict=True)),
    **dict(zip("\u03b1\u03b9\u03ba\u03bd\u03bf\u03c1\u03c5\u03c7", "aiKvopux".lower(), strict=True)),
    **dict(zip("\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7",
               "ABEZHIKMNOPTYX", strict=True)),
    "\u0131": "i",
}  # fmt: skip


def as_ascii(text: str) -> str:
    """The text with each look-alike as the ASCII character that it looks like, and without what has no width.

    >>> as_ascii("mask\uff1d0\uff0c1"), as_ascii("fi\u200blt\u0435rs")
    ('mask=0,1', 'filters')
    """
    return "" if not text else text if text.isascii() else "".join(_plain(c) for c in text)


def foreign_character(text: str) -> str | None:
    """What is said of the first character of a text that is not what it seems; None where there is none.

    >>> foreign_character("0\uff0c1")
    "U+FF0C (fullwidth comma) is not ','"
    >>> foreign_character("fil\u200bters")
    'U+200B (zero width space) is a character that editors do not show'
    >>> foreign_character("0,1")
    """
    if text.isascii() and text.isprintable():
        return None
    return next((said for c in text if (said := _said(c))), None)


def _said(c: str) -> str | None:
    if c in " \t\r\n" or (c.isascii() and c.isprintable()):
        return None
    name = unicodedata.name(c, "a control character").lower()
    said, like = f"U+{ord(c):04X} ({name})", _plain(c)
    if like == " ":
        return f"{said} is not a plain blank: Darknet keeps it as a part of the word"
    if not like or not c.isprintable():
        return f"{said} is a character that editors do not show"
    return f"{said} is not {like!r}" if like.isascii() else None


def _plain(c: str) -> str:
    if c.isascii():
        return c
    if unicodedata.category(c) in ("Cf", "Mn", "Me"):
        return ""
    if unicodedata.category(c) == "Zs":
        return " "
    if c in _ALIKE:
        return _ALIKE[c]
    digit = unicodedata.digit(c, None)
    return unicodedata.normalize("NFKC", c) if digit is None else str(digit)
