"""Labels of text that a machine wrote: which text gets one, in which file, and that none comes back in."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copydesk.errors import InputError
from copydesk.model import Dialect, LiveText, Product, TextFormat
from producer.catalog import TextUpdate, read, write
from producer.catalog.labels import NO_LABELS, WORDS, Labels, is_machine_written, without_line

GOOGLE, CHINA = Labels("google"), Labels("cn", "Fernhill Ltd")
MACHINES = LiveText("mug", "A mug of steel.", "Mug", TextFormat.PLAIN, Dialect.JSONL, {}, "en", draft=7)
PERSONS = replace(MACHINES, sku="pan", draft=None)
MODEL = "This mug is made of steel, holds 350 ml of tea and keeps it warm for two hours on any desk."
CHINESE = "这款保温杯采用不锈钢制成，容量为三百五十毫升，可以让您的热茶在办公桌上保持两个小时的温度。"


def edited(text: str, model: str = MODEL) -> LiveText:
    return replace(MACHINES, text=text, model_text=model)


@pytest.mark.parametrize(
    ("row", "is_machines"),
    [
        (MACHINES, True),
        (PERSONS, False),
        (edited(MODEL.replace("350", "330")), True),
        (edited("Our bestseller. " + MODEL), True),
        (edited(f"<p>{MODEL}</p>"), True),
        (edited("Tea at the desk? The steel mug of ours, 350 ml, is what you want."), False),
        (edited("One two three four five six seven. " * 6 + "This mug is made of steel, holds 350 ml."), False),
        (edited("A mug.", "A mug."), True),
        (edited("A cup.", "A mug."), False),
        (edited(CHINESE.replace("三百五十", "三百"), CHINESE), True),
        (edited("喝茶就用我们家的钢杯，轻便好看，送礼自用都合适，欢迎到店里来看一看。", CHINESE), False),
    ],
)
def test_what_came_from_a_draft_is_a_machines_until_a_person_writes_it_anew(row: LiveText, is_machines: bool) -> None:
    assert is_machine_written(row) is is_machines


def written(tmp_path: Path, row: LiveText, file_format: str, labels: Labels) -> str:
    path = tmp_path / f"out.{file_format}"
    write([row], path, file_format, labels)
    return path.read_text("utf-8")


def as_json(tmp_path: Path, row: LiveText, labels: Labels) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(written(tmp_path, row, "jsonl", labels))
    return record


def test_googles_file_says_of_each_text_who_wrote_it(tmp_path: Path) -> None:
    path = tmp_path / "out.tsv"
    write([MACHINES, PERSONS, replace(PERSONS, sku="lid", text=" ")], path, "google")

    assert path.read_text("utf-8").splitlines() == [
        "id\tdescription\tstructured_description",
        'mug\t\ttrained_algorithmic_media:"A mug of steel."',
        "pan\tA mug of steel.\t",
    ]


@pytest.mark.parametrize(
    ("text", "machines", "persons"),
    [
        ('12" wide:\t"big"', ':"12"" wide: ""big"""', '12" wide: "big"'),
        ("One.\r\n\r\nTwo.", ':"One. Two."', "One. Two."),
        ('"Best" mug', ':"""Best"" mug"', '"""Best"" mug"'),
    ],
)
def test_quotes_and_breaks_are_written_as_google_reads_them(
    tmp_path: Path, text: str, machines: str, persons: str
) -> None:
    by_machine = written(tmp_path, replace(MACHINES, text=text), "google", NO_LABELS).splitlines()[1]
    by_person = written(tmp_path, replace(PERSONS, text=text), "google", NO_LABELS).splitlines()[1]

    assert by_machine == f"mug\t\ttrained_algorithmic_media{machines}"
    assert by_person == f"pan\t{persons}\t"
    (cell,) = list(csv.reader([by_person.split("\t")[1]]))
    assert cell == [" ".join(text.split())]


def test_googles_file_has_no_markup(tmp_path: Path) -> None:
    row = replace(MACHINES, text="<p>Steel &amp; oak</p>", text_format=TextFormat.HTML)
    assert written(tmp_path, row, "google", GOOGLE).splitlines()[1].endswith(':"Steel & oak"')


def test_json_lines_hold_googles_fields_where_they_are_asked_for(tmp_path: Path) -> None:
    assert as_json(tmp_path, MACHINES, GOOGLE) == {
        "sku": "mug",
        "title": "Mug",
        "structured_description": {
            "digital_source_type": "trained_algorithmic_media",
            "content": "A mug of steel.",
        },
        "locale": "en",
    }
    assert as_json(tmp_path, PERSONS, GOOGLE)["description"] == "A mug of steel."


@pytest.mark.parametrize("file_format", ["shopify", "woocommerce"])
def test_a_file_without_a_field_for_googles_label_is_refused(tmp_path: Path, file_format: str) -> None:
    with pytest.raises(InputError, match="--format google, or --label none"):
        write([MACHINES], tmp_path / "out.csv", file_format, GOOGLE)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_label_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'eu': use one of none, google, cn"):
        write([MACHINES], tmp_path / "out.csv", "shopify", Labels("eu"))


def test_chinas_label_is_a_line_that_a_reader_sees_and_metadata(tmp_path: Path) -> None:
    record = as_json(tmp_path, replace(MACHINES, text=CHINESE, language="zh"), CHINA)

    assert record["description"] == f"{CHINESE}\n\n（本文由人工智能生成）"
    assert record["AIGC"] == {
        "Label": "1",
        "ContentProducer": "Fernhill Ltd",
        "ProduceID": "copydesk-draft-7",
        "ReservedCode1": "",
        "ContentPropagator": "",
        "PropagateID": "",
        "ReservedCode2": "",
    }
    assert "AIGC" not in as_json(tmp_path, PERSONS, CHINA)
    assert as_json(tmp_path, PERSONS, CHINA)["description"] == PERSONS.text


@pytest.mark.parametrize("words", WORDS.values())
def test_every_line_has_the_words_that_the_standard_asks_for(words: str) -> None:
    assert "人工智能" in words or "AI" in words
    assert "生成" in words


@pytest.mark.parametrize(
    ("row", "file_format"),
    [
        (replace(MACHINES, text_format=TextFormat.HTML, text="<p>Steel</p>", dialect=Dialect.SHOPIFY), "shopify"),
        (replace(MACHINES, text_format=TextFormat.HTML, text="<p>钢</p>", language="zh"), "shopify"),
        (replace(MACHINES, text_format=TextFormat.HTML, text="<ul><li>Steel</li></ul> \n"), "woocommerce"),
        (MACHINES, "jsonl"),
        (replace(MACHINES, text=CHINESE, language="zh"), "jsonl"),
        (replace(MACHINES, language="de"), "jsonl"),
    ],
)
def test_an_export_with_chinas_line_comes_back_in_without_it(tmp_path: Path, row: LiveText, file_format: str) -> None:
    path = tmp_path / f"out.{file_format}"
    write([row], path, file_format, CHINA)

    (item,) = read(path)

    assert "人工智能生成" in path.read_text("utf-8")
    assert isinstance(item, TextUpdate)
    assert item.description == row.text


def test_a_shops_own_file_with_facts_comes_in_without_the_line_too(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    body = f"<p>Steel</p>\n<p>{WORDS['en']}</p>"
    path.write_text(f'Handle,Title,Body (HTML),Vendor,Tags\nmug,Mug,"{body}",Ridgeway,steel\n', "utf-8")

    products = [item for item in read(path) if isinstance(item, Product)]

    assert [product.description for product in products] == ["<p>Steel</p>"]


@pytest.mark.parametrize(
    "text",
    [
        "<p>Steel</p><p>（本文由人工智能生成）</p>",
        '<p>Steel</p>\n\n  <p class="note">（本文由人工智能生成）</p>\n',
        "<p>Steel</p>（本文由人工智能生成）",
        "<p>Steel</p> <p>(AI-generated / 人工智能生成)</p>",
    ],
)
def test_the_line_is_known_as_a_shop_sets_it_anew(text: str) -> None:
    assert without_line(text) == "<p>Steel</p>"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "人工智能生成",
        "<p>本文由人工智能生成的杯子</p>",
        "（本文由人工智能生成） is what it says below the mug.",
        "Steel",
    ],
)
def test_words_that_are_no_line_of_ours_stay(text: str) -> None:
    assert without_line(text) == text


@settings(derandomize=True, database=None, deadline=None)
@given(
    st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from([f"x\n\n{words}" for words in WORDS.values()]),
    st.sampled_from(TextFormat),
    st.sampled_from(["en", "zh", "de"]),
)
def test_what_an_export_puts_on_an_import_takes_off_byte_for_byte(
    text: str, text_format: TextFormat, language: str
) -> None:
    row = replace(MACHINES, text=text, language=language)
    assert without_line(CHINA.text(row, text, text_format)) == text
