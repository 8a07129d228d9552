"""HTML to plain text and back. Neither is used where the text already is in the format that is wanted."""

import html
import re

import nh3

_PARAGRAPHS = {"p", "div", "ul", "ol", "table", "tr", "blockquote", "section", "article", "pre"}
_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_BREAKING = _PARAGRAPHS | _HEADINGS | {"br", "li", "td", "th"}
_WITHOUT_CONTENT = {"script", "style", "iframe", "object", "embed", "svg", "math", "noscript", "template"}

_BREAKS = (
    (re.compile(r"<br>"), "\n"),
    (re.compile(r"<li>"), "\n- "),
    (re.compile(r"</li>|</?t[dh]>"), " "),
    (re.compile(r"<[^<>]*>"), "\n\n"),
)

_BULLET = re.compile(r"\s*[-*•·]\s+(\S.*)")


def to_plain(markup: str) -> str:
    """Readable text: a blank line between paragraphs, a line for each list item; scripts and styles are dropped."""
    # nh3 leaves only the bare tags named here and escapes every other "<": simple patterns are safe after it.
    text = nh3.clean(markup, tags=_BREAKING, attributes={}, clean_content_tags=_WITHOUT_CONTENT, link_rel=None)
    text = re.sub(r"\s+", " ", text)
    for pattern, replacement in _BREAKS:
        text = pattern.sub(replacement, text)
    lines = (" ".join(line.split()) for line in html.unescape(text).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def to_html(text: str) -> str:
    """Escaped `<p>` paragraphs, one for each block apart by blank lines; single line breaks become `<br>`.

    A block of which every line begins with a bullet becomes a list.
    """
    blocks = (block.strip() for block in re.split(r"\n[^\S\n]*\n", text.replace("\r\n", "\n")))
    return "\n".join(_list(block) or _paragraph(block) for block in blocks if block)


def _paragraph(block: str) -> str:
    return f"<p>{html.escape(block, quote=False)}</p>".replace("\n", "<br>\n")


def _list(block: str) -> str:
    items = [_BULLET.fullmatch(line) for line in block.split("\n")]
    texts = [html.escape(item[1], quote=False) for item in items if item]
    return "\n".join(["<ul>", *(f"<li>{text}</li>" for text in texts), "</ul>"]) if len(texts) == len(items) else ""
