"""The digest as people read it: every figure, every quote as it stands, and nothing smuggled in by a customer."""

import re
from html.parser import HTMLParser

import pytest

from copydesk.jobs.digest import GRAVE, Judged, digest
from copydesk.model import Opinion, Polarity, Route
from producer.digests import ROUTES, html, markdown

POSITIVE, NEGATIVE = Polarity.POSITIVE, Polarity.NEGATIVE
EVIL = '<script>alert(1)</script> [click](https://evil.example) **now** "quoted" & \u202eok'


def judged(
    review: str, polarity: Polarity = NEGATIVE, sentence: str = "much too dear", route: Route = Route.ORDINARY
) -> Judged:
    opinion = Opinion("price", polarity, sentence)
    return Judged(review, "mug", 1 if polarity is NEGATIVE else 5, polarity, (opinion,), route)


WEEK = digest([judged(f"r{number}") for number in range(4)] + [judged("x", route=Route.SAFETY)], [judged("y")])
ATTACKED = digest([judged(f"<i>r{number}", sentence=EVIL) for number in range(3)], [])


class Page(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_markdown_reads_from_what_is_urgent_to_what_is_nice() -> None:
    assert markdown(WEEK, "demo", "2026-W12").splitlines() == [
        "# Reviews of demo, 2026-W12",
        "",
        "5 reviews this week, 1 last week.",
        "",
        "| | this week | last week |",
        "| --- | --- | --- |",
        "| positive | 0 | 0 |",
        "| neutral | 0 | 0 |",
        "| negative | 5 | 1 |",
        "| 5 stars | 0 |  |",
        "| 4 stars | 0 |  |",
        "| 3 stars | 0 |  |",
        "| 2 stars | 0 |  |",
        "| 1 star | 5 |  |",
        "",
        "## Look at this first",
        "",
        "- Somebody was or may be hurt: x",
        "- More complaints about price: 5, after 1 last week",
        "- Product mug: 5 of 5 reviews negative, 0 positive",
        "",
        "## What customers complain about",
        "",
        "### Price: 5 reviews (100% of all), 4 more than last week (1, 100%)",
        "",
        "> much too dear (x)",
        "",
        "## What customers praise",
        "",
        "No topic that 3 reviews or more speak of.",
    ]


def test_the_page_says_the_same() -> None:
    text = Page(html(WEEK, "demo", "2026-W12")).text
    for said in (
        "Reviews of demo, 2026-W12", "5 reviews this week, 1 last week.", "Somebody was or may be hurt: x",
        "More complaints about price: 5, after 1 last week", "5 of 5 reviews negative",
        "5 reviews (100% of all), 4 more than last week (1, 100%)", "much too dear",
    ):  # fmt: skip
        assert said in text


@pytest.mark.parametrize("week", [WEEK, ATTACKED, digest([], [])])
def test_the_page_is_whole_fits_a_phone_and_asks_for_nothing_outside(week: object) -> None:
    page = html(week, "demo", "2026-W12")  # type: ignore[arg-type]
    read = Page(page)
    assert read.open == []
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in read.tags
    assert not {tag for tag, _ in read.tags} & {"script", "link", "img", "a", "iframe", "form", "i"}
    assert not {name for _, attributes in read.tags for name in attributes} & {"src", "href", "style", "onclick"}
    assert "url(" not in page
    assert "@import" not in page


def test_a_customers_words_stay_words_in_the_page() -> None:
    page = html(ATTACKED, "<b>demo</b>", "<u>week</u>")
    assert '<script>alert(1)</script> [click](https://evil.example) **now** "quoted" &' in Page(page).text
    assert "<b>demo</b>" in Page(page).text
    assert "\u202e" not in page


def test_a_customers_words_stay_words_in_markdown() -> None:
    text = markdown(ATTACKED, "demo *bold*", "2026-W12")
    assert r"\<script\>alert(1)\</script\> \[click\](https\://evil.example) \*\*now\*\*" in text
    assert r"# Reviews of demo \*bold\*, 2026-W12" in text
    assert re.search(r"(?<!\\)[<\[*]", text.replace("## ", "")) is None
    assert "\u202e" not in text


@pytest.mark.parametrize(
    "sentence", ["1. first", "- item", "# heading", "> more", "---", "one\n\n# two", "www.evil.example"]
)
def test_a_quote_is_one_line_and_no_markup(sentence: str) -> None:
    week = digest([judged(f"r{number}", sentence=sentence) for number in range(3)], [])
    [quote] = [line for line in markdown(week, "demo", "w").splitlines() if line.startswith(">")]
    assert re.match(r"> (?:\\|\d\\|one|www\\)", quote)


def test_quotes_stay_in_their_language() -> None:
    week = digest([judged(f"r{number}", POSITIVE, "性价比很高！") for number in range(3)], [])
    assert "> 性价比很高！ (r2)" in markdown(week, "demo", "w")
    assert "性价比很高！" in Page(html(week, "demo", "w")).text


@pytest.mark.parametrize("make", [markdown, html])
def test_a_week_without_reviews_is_said_in_a_sentence(make: object) -> None:
    text = make(digest([], [judged("a")]), "demo", "w")  # type: ignore[operator]
    assert "No reviews this week, 1 last week." in text
    assert "Look at this first" not in text


def test_a_quiet_week_has_nothing_that_stands_out() -> None:
    quiet = digest([Judged("a", "", None, Polarity.NEUTRAL, (), Route.ORDINARY)], [])
    assert "1 review this week, 0 last week." in markdown(quiet, "demo", "w")
    assert "Nothing stands out." in markdown(quiet, "demo", "w")
    assert "Nothing stands out." in html(quiet, "demo", "w")
    assert "star" not in markdown(quiet, "demo", "w")


@pytest.mark.parametrize(("before", "said"), [(3, "as many as last week"), (5, "2 fewer than last week")])
def test_a_change_is_said_in_words(before: int, said: str) -> None:
    week = digest([judged(f"r{n}") for n in range(3)], [judged(f"s{n}") for n in range(before)])
    assert said in markdown(week, "demo", "w")


def test_every_grave_route_has_a_name() -> None:
    assert set(ROUTES) == set(GRAVE)
