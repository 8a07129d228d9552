"""Which encoding a file is in, decided without chance: byte order mark, then UTF-8, then GB18030 or Windows-1252.

charset-normalizer was tried for the last step and finds no encoding for short texts such as "Jalapeño Größe ÄÖÜ", so
the rule is our own: Chinese text in GB18030 is made of pairs of high bytes, Western text of single ones.
"""

import codecs
import io
import re
from pathlib import Path
from typing import TextIO

from copydesk.errors import InputError

_HEAD = 8192
_CHUNK = 1 << 20
_SAMPLE = 1 << 18
_ESCAPED = re.compile("[\udc80-\udcff]")
_CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n\r\f\x1a\x1b")

LOST = "\udcff"
"""Stands for bytes that the encoding does not have; a lone surrogate, so no well-formed text holds one."""


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return LOST, error.end


codecs.register_error("copydesk.catalog.mark", _mark)


def detect(path: Path) -> str:
    """The codec to read `path` with.

    Raises:
        InputError: the file is empty or is not text.
    """
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
        if not head.strip(codecs.BOM_UTF8 + b" \t\r\n"):
            raise InputError(f"{path} is empty: export it again")
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        _refuse_binary(path, head)
        stream.seek(0)
        if _is_utf8(stream):
            return "utf-8-sig"
        stream.seek(0)
        return "gb18030" if _is_gb18030(stream) else "cp1252"


def open_text(path: Path, encoding: str) -> TextIO:
    """The file as text with its own line ends; bytes that cannot be decoded become LOST."""
    return path.open("r", encoding=encoding, errors="copydesk.catalog.mark", newline="")


def _refuse_binary(path: Path, head: bytes) -> None:
    if head.startswith(b"PK\x03\x04"):
        raise InputError(f"{path} is a workbook or an archive: save it as CSV (UTF-8) or unpack it first")
    if len(head) - len(head.translate(None, _CONTROLS)) > len(head) / 20:
        raise InputError(f"{path} is not a text file: export the catalog as CSV or JSON lines in UTF-8")


def _is_utf8(stream: io.BufferedReader) -> bool:
    """Whether characters of several bytes outnumber the bytes that fit nowhere.

    One broken byte must not turn a whole file into another encoding. Other encodings form such characters by accident
    only: about one in ten in Chinese GB18030, next to none in Windows-1252.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    wide = lost = 0
    while chunk := stream.read(_CHUNK):
        text = decoder.decode(chunk)
        if not text.isascii():
            escaped = len(_ESCAPED.findall(text))
            lost += escaped
            wide += len(text) - len(text.encode("ascii", "ignore")) - escaped
    lost += len(decoder.decode(b"", final=True))
    return lost == 0 or wide > lost


def _is_gb18030(stream: io.BufferedReader) -> bool:
    """Whether over half of what is not ASCII, read as GB18030, is a character that Chinese text is made of."""
    usual = other = size = 0
    while size < _SAMPLE and (line := stream.readline(_SAMPLE)):
        if line.isascii():
            continue
        size += len(line)
        for character in line.decode("gb18030", "copydesk.catalog.mark"):
            if not character.isascii():
                if _is_usual_in_chinese(character):
                    usual += 1
                else:
                    other += 1
    return usual > other


def _is_usual_in_chinese(character: str) -> bool:
    """Common simplified characters and full-width punctuation, or traditional ones, written as two high bytes.

    "Größe" read as GB18030 is a rare character (lead byte above D7), "Jalapeño" one with an ASCII trail byte.
    """
    if character == LOST:
        return False
    code = character.encode("gb18030")
    return len(code) == 2 and ((0xA1 <= code[0] <= 0xD7 and code[1] >= 0xA1) or (code[0] <= 0xA0 and code[1] >= 0x80))
