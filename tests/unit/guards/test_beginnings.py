"""A text without its last sentences: as it stands, in either language, and nothing of a text that has only one."""

import pytest

from copydesk.guards import beginnings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It is red. It holds 2.5 l. And", ["It is red. It holds 2.5 l.", "It is red."]),
        ("One. One. One.", ["One. One.", "One."]),
        ("It is red.\n\nIt holds tea! It is", ["It is red.\n\nIt holds tea!", "It is red."]),
        ("杯子很轻。容量500毫升。送给", ["杯子很轻。容量500毫升。", "杯子很轻。"]),
        ("It is red", []),
        ("", []),
    ],
)
def test_beginnings_are_whole_sentences_the_longest_first(text: str, expected: list[str]) -> None:
    assert list(beginnings(text)) == expected
