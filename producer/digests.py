"""The weekly digest as Markdown and as one HTML page: no script, no outside resource, customers' words escaped."""

import html as markup
import re
from collections.abc import Callable, Iterator, Sequence

from copydesk.jobs.digest import Digest, Finding
from copydesk.model import Polarity, Route

ROUTES = {
    Route.SELF_HARM: "Somebody may harm themselves",
    Route.SAFETY: "Somebody was or may be hurt",
    Route.HEALTH: "Illness or allergy",
    Route.LEGAL: "Lawyer, court or police",
    Route.REGULATOR: "A regulator is named",
    Route.MEDIA: "The media are named",
    Route.DISCRIMINATION: "Discrimination",
    Route.STAFF: "Somebody of the staff is named",
}

QUIET = "Nothing stands out."

# What Markdown reads as more than itself; a bare address would become a link.
_MARKDOWN = re.compile(r"[\\`*_{}\[\]<>#|~&]|(?<=www)\.|:(?=//)|^[-+=]|(?<=^\d)[.)]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:0 auto;padding:1rem;color:#1b1b1b;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2rem;border-bottom:1px solid #ccc}h3{font-size:1rem;margin-bottom:0}
ul{padding-left:1.2rem}blockquote{margin:.4rem 0;padding-left:.8rem;border-left:3px solid #bbb}
.note{color:#5a5a5a;font-size:.9rem}.id{color:#5a5a5a;font-size:.8rem;white-space:nowrap}
blockquote,li,h1{overflow-wrap:anywhere}table{border-collapse:collapse}
td,th{padding:.15rem .8rem .15rem 0;text-align:left}
@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}.note,.id{color:#aaa}}
"""


def markdown(digest: Digest, shop: str, week: str) -> str:
    """The digest as Markdown; `week` is shown as it stands, such as 2026-W12."""
    blocks = [f"# Reviews of {_plain(shop)}, {_plain(week)}", _opening(digest)]
    if digest.reviews:
        first = "\n".join(f"- {line}" for line in _first(digest, _plain))
        blocks += [_table(digest), "## Look at this first", first or QUIET]
        for heading, findings in _sections(digest):
            blocks += [f"## {heading}", *(map(_in_markdown, findings) if findings else [_nothing(digest)])]
    return "\n\n".join(blocks) + "\n"


def _in_markdown(one: Finding) -> str:
    quotes = [f"> {_plain(quote.sentence)} ({_plain(quote.review)})" for quote in one.quotes]
    return "\n\n".join([f"### {_plain(one.topic.capitalize())}: {_counted(one)}", *quotes])


def _table(digest: Digest) -> str:
    rows = [f"| {' | '.join(cells)} |" for cells in _totals(digest)]
    return "\n".join(["| | this week | last week |", "| --- | --- | --- |", *rows])


def html(digest: Digest, shop: str, week: str) -> str:
    """The digest as one page; `week` is shown as it stands, such as 2026-W12."""
    title = f"Reviews of {_escaped(shop)}, {_escaped(week)}"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
        f"<p>{_opening(digest)}</p>\n{''.join(_body(digest)) if digest.reviews else ''}</body>\n</html>\n"
    )


def _body(digest: Digest) -> Iterator[str]:
    rows = "".join(f"<tr><th>{name}</th><td>{now}</td><td>{before}</td></tr>" for name, now, before in _totals(digest))
    yield f"<table><tr><th></th><th>this week</th><th>last week</th></tr>{rows}</table>\n"
    yield "<h2>Look at this first</h2>\n"
    items = "".join(f"<li>{line}</li>\n" for line in _first(digest, _escaped))
    yield f"<ul>\n{items}</ul>\n" if items else f"<p>{QUIET}</p>\n"
    for heading, findings in _sections(digest):
        yield f"<h2>{heading}</h2>\n"
        yield "".join(_in_html(one) for one in findings) or f'<p class="note">{_nothing(digest)}</p>\n'


def _in_html(one: Finding) -> str:
    quotes = "".join(
        f'<blockquote dir="auto">{_escaped(quote.sentence)} <bdi class="id">{_escaped(quote.review)}</bdi>'
        "</blockquote>\n"
        for quote in one.quotes
    )
    return f'<h3>{_escaped(one.topic.capitalize())}</h3>\n<p class="note">{_counted(one)}</p>\n{quotes}'


# What both say -------------------------------------------------------------------------------------------------------

Escape = Callable[[str], str]


def _opening(digest: Digest) -> str:
    now = _reviews(digest.reviews) if digest.reviews else "No reviews"
    return f"{now} this week, {digest.before} last week."


def _sections(digest: Digest) -> Sequence[tuple[str, Sequence[Finding]]]:
    return ("What customers complain about", digest.complaints), ("What customers praise", digest.praise)


def _nothing(digest: Digest) -> str:
    return f"No topic that {_reviews(digest.min_count)} or more speak of."


def _totals(digest: Digest) -> Iterator[tuple[str, str, str]]:
    """Name, this week and last week; of the stars only this week is known."""
    for polarity in Polarity:
        yield polarity.value, str(digest.polarities[polarity]), str(digest.polarities_before[polarity])
    for stars, count in digest.stars.items() if any(digest.stars.values()) else ():
        yield f"{stars} star{'s' if stars > 1 else ''}", str(count), ""


def _first(digest: Digest, escape: Escape) -> Iterator[str]:
    for grave in digest.grave:
        yield f"{ROUTES[grave.route]}: {', '.join(map(escape, grave.reviews))}"
    for one in digest.growing:
        yield f"More complaints about {escape(one.topic)}: {one.count}, after {one.before} last week"
    for balance in digest.worst:
        blamed = f"{balance.negative} of {_reviews(balance.reviews)} negative, {balance.positive} positive"
        yield f"Product {escape(balance.sku)}: {blamed}"


def _counted(one: Finding) -> str:
    change = f"{abs(one.change)} {'more' if one.change > 0 else 'fewer'} than" if one.change else "as many as"
    return f"{_reviews(one.count)} ({one.share:.0%} of all), {change} last week ({one.before}, {one.share_before:.0%})"


def _reviews(count: int) -> str:
    return f"{count} review{'' if count == 1 else 's'}"


def _plain(text: str) -> str:
    """One line of Markdown that shows the text as it is."""
    return _MARKDOWN.sub(lambda found: f"\\{found[0]}", " ".join(_CONTROLS.sub(" ", text).split()))


def _escaped(text: str) -> str:
    return markup.escape(" ".join(_CONTROLS.sub(" ", text).split()))
