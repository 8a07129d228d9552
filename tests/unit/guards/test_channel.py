"""What channels do not take, in English and Chinese, and what they do."""

import pytest

from copydesk.guards import judge
from copydesk.model import Facts
from copydesk.settings import Rules

BOARD = Facts(
    "Fern Bamboo Board", "Fernhill", "Kitchen",
    (("Material", "Bamboo"), ("Size", "30 x 20 cm"), ("Promise", "2 year guarantee, eco-friendly, antibacterial")),
)  # fmt: skip
MUG = Facts(
    "Tarn Mug", "Fernhill", "Mug",
    (("Capacity", "350 ml"), ("Price", "$12.50"), ("Claims", "bamboo, eco-friendly, antibacterial, guarantee, refund")),
)  # fmt: skip
CUP = Facts(
    "保温杯", "云栖", "水具", (("容量", "500 毫升"), ("卖点", "环保，抗菌，竹子，保证，包邮，优惠")), language="zh"
)


def spans(text: str, facts: Facts, channel: str, *, bullets: bool = False) -> list[str]:
    rules = Rules(min_words=1, min_chars_zh=1, channel=channel, max_bullets=5 if bullets else None)
    reasons = judge(text, facts, rules, finished=True).reasons
    return [reason.span for reason in reasons if reason.code == f"channel.{channel}"]


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("The Tarn Mug costs $12.50.", "$12.50"),
        ("The Tarn Mug is yours for 12 euros.", "12 euros"),
        ("The Tarn Mug comes at a good price.", "price"),
        ("The Tarn Mug is 20% off.", "20% off"),
        ("The Tarn Mug comes with free shipping.", "shipping"),
        ("The Tarn Mug with next-day delivery.", "next day delivery"),
        ("The Tarn Mug is good. Leave us a review.", "leave us a review"),
        ("The Tarn Mug is a five-star mug.", "five star"),
        ('The Tarn Mug: "the best cup I ever had."', '"the best cup I ever had."'),
        ("The Tarn Mug is good. Contact us for more.", "contact us"),
        ("The Tarn Mug is at www.fernhill.example now.", "www.fernhill.example"),
        ("The Tarn Mug: write to tea@fernhill.example.", "tea@fernhill.example"),
    ],
)
def test_amazon_takes_no_price_shipping_review_quote_or_contact(text: str, span: str) -> None:
    assert span in spans(text, MUG, "amazon")


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("保温杯打八折。", "打八折"),
        ("保温杯只要59元。", "59元"),
        ("保温杯现在特价。", "特价"),
        ("保温杯全场8折。", "8折"),
        ("保温杯全国包邮。", "包邮"),
        ("保温杯当天发货。", "发货"),
        ("喜欢保温杯请给好评。", "好评"),
        ("保温杯有问题请联系我们。", "联系我们"),
        ("加微信号：baowen123了解保温杯。", "微信号：baowen123"),
        ("大家都说“这是我用过最好的一只保温杯没有之一”。", "“这是我用过最好的一只保温杯没有之一”"),
    ],
)
def test_amazon_takes_none_of_it_in_chinese(text: str, span: str) -> None:
    assert span in spans(text, CUP, "amazon")


@pytest.mark.parametrize(
    "text",
    [
        "The Tarn Mug is a priceless companion that holds 350 ml.",
        'The Tarn Mug is 4" wide and 5" tall.',
        "Fernhill's Tarn Mug is 'just right' for tea.",
        "The Tarn Mug is the shape of a ship in full sail.",
        "Rate of flow, review of the day: the Tarn Mug stays calm.",
    ],
)
def test_amazon_takes_ordinary_copy(text: str) -> None:
    assert spans(text, MUG, "amazon") == []


@pytest.mark.parametrize(
    "text",
    [
        "云栖保温杯容量500毫升，通勤随身。",
        "这只保温杯“轻便”好带。",
        "保温杯价值在于日常陪伴。",
        "保温杯和3折伞，抖一抖，折一折。",
    ],
)
def test_amazon_takes_ordinary_chinese_copy(text: str) -> None:
    assert spans(text, CUP, "amazon") == []


BULLETS = [
    ("- The Tarn Mug™ is calm", "™"),
    ("- The Tarn Mug is calm ✨", "✨"),
    ("- The Tarn Mug comes with a guarantee", "guarantee"),
    ("- The Tarn Mug: full refund if you do not like it", "refund"),
    ("- The Tarn Mug is eco-friendly", "eco friendly"),
    ("- The Tarn Mug is anti-bacterial", "anti bacterial"),
    ("- The Tarn Mug has a bamboo lid", "bamboo"),
    ("- The Tarn Mug: colour TBD", "tbd"),
]
BULLETS_ZH = [
    ("- 保温杯质量保证", "保证"),
    ("- 保温杯不满意包退", "包退"),
    ("- 保温杯环保", "环保"),
    ("- 保温杯抗菌", "抗菌"),
    ("- 保温杯配竹子杯盖", "竹子"),
    ("- 保温杯★轻便", "★"),
]


@pytest.mark.parametrize(("text", "span"), BULLETS)
def test_amazons_bullets_have_more_that_they_may_not_say(text: str, span: str) -> None:
    assert span in spans(text, MUG, "amazon", bullets=True)
    assert spans(text, MUG, "amazon") == []


@pytest.mark.parametrize(("text", "span"), BULLETS_ZH)
def test_amazons_chinese_bullets_have_too(text: str, span: str) -> None:
    assert span in spans(text, CUP, "amazon", bullets=True)


def test_what_the_product_is_called_may_be_said() -> None:
    assert spans("- The Fern Bamboo Board is 30 x 20 cm", BOARD, "amazon", bullets=True) == []


@pytest.mark.parametrize(
    "text",
    [
        "- The Tarn Mug holds 350 ml\n- Plain, calm & made for tea",
        "- Tarn Mug: dishwasher day\n- Satisfying to hold (350 ml)",
    ],
)
def test_amazon_takes_ordinary_bullets(text: str) -> None:
    assert spans(text, MUG, "amazon", bullets=True) == []


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("The Tarn Mug costs $12.50.", "$12.50"),
        ("The Tarn Mug is on sale.", "on sale"),
        ("The Tarn Mug comes with free delivery.", "free delivery"),
        ("The Tarn Mug is calm. Shop now.", "shop now"),
    ],
)
def test_google_takes_no_promotion(text: str, span: str) -> None:
    assert span in spans(text, MUG, "google")


@pytest.mark.parametrize(
    ("text", "span"), [("保温杯包邮。", "包邮"), ("保温杯立即下单。", "立即下单"), ("保温杯优惠中。", "优惠")]
)
def test_google_takes_no_promotion_in_chinese(text: str, span: str) -> None:
    assert span in spans(text, CUP, "google")


def test_google_takes_ordinary_copy() -> None:
    assert spans("The Tarn Mug holds 350 ml. It is made to order.", MUG, "google") == []
    assert spans("云栖保温杯容量500毫升，通勤随身。", CUP, "google") == []


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("保温杯加微信了解。", "加微信"),
        ("保温杯咨询QQ：12345678。", "QQ：12345678"),
        ("保温杯请致电13812345678。", "13812345678"),
        ("保温杯好评返现。", "好评返现"),
        ("保温杯全网最低价。", "最低价"),
    ],
)
def test_taobao_takes_no_way_off_the_platform_no_paid_praise_and_no_lowest_price(text: str, span: str) -> None:
    assert span in spans(text, CUP, "taobao")


def test_taobao_takes_ordinary_copy() -> None:
    assert spans("云栖保温杯容量500毫升，通勤随身，送礼自用皆可。", CUP, "taobao") == []


@pytest.mark.parametrize("channel", ["", "plain", "shopify"])
def test_other_channels_have_no_bans_of_their_own(channel: str) -> None:
    text = "The Tarn Mug costs $12.50, with free shipping."
    rules = Rules(min_words=1, channel=channel)
    assert not [
        reason for reason in judge(text, MUG, rules, finished=True).reasons if reason.code.startswith("channel")
    ]
