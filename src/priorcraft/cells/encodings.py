"""In which encoding a text file is written, and its text in UTF-8."""

import codecs
import re

from priorcraft.errors import DataError

BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",  # begins like UTF-16
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
PACKED = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"\xfd7zXZ": "xz", b"BZh": "bzip2", b"(\xb5/\xfd": "zstandard"}
# an encoding, its name, and the bytes of the letters that texts in it are almost all of
SCRIPTS = (
    ("cp949", "Korean", "euc_kr", re.compile(rb"[\xb0-\xc8][\xa1-\xfe]")),
    ("cp932", "Japanese", "cp932", re.compile(rb"\x82[\x9f-\xf1]|\x83[\x40-\x96]|[\x88-\x9f\xe0-\xea][\x40-\xfc]")),
    ("cp1251", "Cyrillic", "cp1251", re.compile(rb"[\xc0-\xff\xa8\xb8]")),
    ("gb18030", "Chinese", "gb2312", re.compile(rb"[\xb0-\xd7][\xa1-\xfe]")),
)
LOOKED_AT = 2**16  # bytes of lines that are not ASCII
MOST, LEAST = 0.85, 4  # share of letters of the script among all that is not ASCII; how many there must be


def utf8_of(raw: bytes, source: str) -> tuple[bytes, tuple[str, ...]]:
    """The text of a file in UTF-8, and what had to be found out for it.

    Args:
        raw: what the file holds.
        source: what messages call it.

    Raises:
        DataError: it is no text.

    >>> utf8_of("이름,도시\\n".encode("cp949"), "t.csv")[1]
    ('not UTF-8 (line 1); read as Korean text (cp949).',)
    """
    for mark, name in BOMS.items():
        if raw.startswith(mark):
            try:
                text = raw[len(mark) :].decode(name)
            except UnicodeDecodeError:
                raise DataError(f"{source} begins like {name} text and is damaged; save it as CSV in UTF-8.") from None
            return text.encode(), ()
    packed = next((name for start, name in PACKED.items() if raw.startswith(start)), None)
    if packed is not None:
        raise DataError(f"{source} is packed ({packed}) and no text; unpack it, or save it as CSV in UTF-8.")
    if b"\0" in raw[:LOOKED_AT]:
        line = raw.count(b"\n", 0, raw.index(b"\0")) + 1
        raise DataError(f"{source} is no text (line {line} holds a NUL byte); save it as CSV in UTF-8.")
    try:
        raw.decode()
        return raw, ()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
    for encoding, script in ((encoding, script) for encoding, script, *_ in SCRIPTS if _written_in(raw, encoding)):
        try:
            text = raw.decode(encoding).encode()
        except UnicodeDecodeError:
            continue
        return text, (f"not UTF-8 (line {line}); read as {script} text ({encoding}).",)
    try:
        text = raw.decode("cp1252")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return text.encode(), (f"not UTF-8 (line {line}); read as Western European text (Windows-1252).",)


def _written_in(raw: bytes, encoding: str) -> bool:
    """Whether words look like those of the encoding's script: its letters stand side by side, and not within Latin."""
    lines = b"\n".join(line for line in raw[: 2**20].splitlines() if not line.isascii())[:LOOKED_AT]
    _, _, narrow, letters = next(each for each in SCRIPTS if each[0] == encoding)
    words = re.findall(r"[^\W\d_]+", lines.decode(encoding, errors="ignore"))
    foreign = [word for word in words if not word.isascii()]
    usual = (
        word for word in foreign if word == word.lower() or word.istitle()
    )  # in a wrong encoding, capitals are anywhere
    own = sum(bool(letters.fullmatch(c.encode(narrow, errors="ignore"))) for word in usual for c in word)
    total = sum(len(word) for word in foreign)  # Latin letters beside foreign ones count against them
    return own >= LEAST and own >= MOST * total and total > len(foreign)
