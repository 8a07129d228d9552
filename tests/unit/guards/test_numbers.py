"""facts.numbers: alarms where a number is invented or changed, silence where the facts say it in other words."""

import pytest

from copydesk.guards import judge
from copydesk.model import Facts
from copydesk.settings import Rules

RULES = Rules(min_words=1, min_chars_zh=1)


def alarms(text: str, *attributes: tuple[str, str], language: str = "en") -> list[str]:
    """The spans that facts.numbers saw."""
    facts = Facts("Thing" if language == "en" else "东西", attributes=attributes, language=language)
    verdict = judge(text, facts, RULES, finished=True)
    return [reason.span for reason in verdict.reasons if reason.code == "facts.numbers"]


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        ("0.5 l", "A 500 ml bottle."),
        ("500ml, 1l, 2l", "It comes in 500 ml, 1 litre and 2 litres."),
        ("1l, 2.5l, 5l", "Choose 1, 2.5 or 5 litres."),
        ("1 kg", "The pack weighs 1000 g."),
        ("1,500 g", "It weighs 1.5 kilograms."),
        ("45cm x 45cm, 55cm x 55cm", "Sizes are 45 x 45 cm and 55cm by 55cm."),
        ("45 × 55 cm", "It measures 55 x 45 cm."),
        ("12 in", "A 12-inch pan."),
        ('12"', "A pan of twelve inches."),
        ("1-9/16 in", "It is 1 9/16 inches wide."),
        ("½ in", "It is 0.5 in wide."),
        ("5.1%", "It has 5.1 percent."),
        ("6-pack", "Six bottles to share."),
        ("24 hours", "Keeps warm for twenty-four hours."),
        ("12", "A dozen eggs."),
        ("39, 40, 41", "Made for feet from 39 to 41."),
        ("XR 500", "The XR-500 has power."),
        ("iPhone 15", "Fits the iPhone 15."),
        ("S, M, XL", "It comes in S, M and XL."),
        ("30 USD", "Only $30 for now."),
        ("-5 °C", "Warm down to -5 °C."),
        ("2-in-1", "A 2-in-1 tool."),
        ("3.5 mm", "With a 3.5mm jack."),
        ("0.75 l", "Three quarters of a litre."),
        ("1.5 l", "It holds one and a half litres."),
        ("6", "Half a dozen eggs."),
        ("24 hours, 12 hours", "Cold for 24 hours and hot for 12."),
        ("4 to 6 years", "Made for children from 4 to 6."),
    ],
)
def test_a_number_of_the_facts_may_be_said_in_other_units_and_words(fact: str, text: str) -> None:
    assert alarms(text, ("Fact", fact)) == []


@pytest.mark.parametrize(
    ("fact", "text", "span"),
    [
        ("9/16 in", "It is 1-9/16 in wide.", "1-9/16 in"),
        ("1-9/16 in", "It is 9/16 in wide.", "9/16 in"),
        ("0.5 l", "A 600 ml bottle.", "600 ml"),
        ("240 g, 8 mm drop", "A drop of 240 mm.", "240 mm"),
        ("240 g, 8 mm drop", "A drop of 8 grams.", "8 grams"),
        ("96 pages", "A paper of 96 g.", "96 g"),
        ("5.1%", "Beer with 51%.", "51%"),
        ("Soft", "Open 24/7 for all.", "24/7"),
        ("Soft", "It was made in 2018.", "2018"),
        ("Soft", "It has three pockets.", "three"),
        ("Soft", "It has a hundred uses.", "hundred"),
        ("Soft", "Sold for $30 today.", "$30"),
        ("1 l", "Half a litre of joy.", "Half a litre"),
        ("2 l", "It holds one litre.", "one litre"),
        ("XR-500", "The XR-550 has power.", "XR-550"),
        ("500", "The XR-500 has power.", "XR-500"),
        ("5 W", "Films in 4K for you.", "4K"),
        ("45cm x 45cm, 55cm x 55cm", "It measures 45cm x 55cm.", "45cm x 55cm"),
        ("2 l", "Two boxes, 2 x 2 l.", "2 x 2 l"),
        ("S, M", "It comes in S, M and L.", "L"),
        ("1l, 2l", "It comes in 1l, 2l and 3l.", "3l"),
        ("1 l", "Three quarters of a litre.", "Three quarters of a litre"),
        ("24 hours, 12 hours", "Cold for 24 hours and hot for 18.", "18"),
        ("24 hours", "It runs for 24 hours and has 24 pockets.", "24"),
    ],
)
def test_a_number_the_facts_do_not_hold_is_refused(fact: str, text: str, span: str) -> None:
    assert span in alarms(text, ("Fact", fact))


@pytest.mark.parametrize(
    "text",
    [
        "One of the nicest, and no one will miss it.",
        "First on the list, second to none.",
        "This one is for you, and that one too.",
        "It fits in at home and at work; a treat.",
        "No two are alike.",
    ],
)
def test_a_pronoun_or_an_ordinal_is_no_number(text: str) -> None:
    assert alarms(text, ("Colour", "soft")) == []


def test_the_unit_may_stand_in_the_name_of_the_attribute() -> None:
    assert alarms("It weighs 240 grams.", ("Weight (g)", "240")) == []
    assert alarms("It runs for 10 hours.", ("Battery life hours", "10")) == []
    assert alarms("It weighs 240 kg.", ("Weight (g)", "240")) == ["240 kg"]


def test_a_size_may_be_put_together_from_its_sides() -> None:
    assert alarms("It measures 45 x 55 cm.", ("Width", "45 cm"), ("Height", "55 cm")) == []


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        ("500毫升", "一瓶500 ml的果汁。"),
        ("0.5升", "一瓶五百毫升的果汁。"),
        ("1 kg", "净重1公斤。"),
        ("2斤", "净重一千克。"),
        ("45厘米 x 45厘米", "尺寸为45×45厘米。"),
        ("3档", "三档调节，一款好用的风扇。"),
        ("２种颜色", "两种颜色可选。"),
        ("50%", "含量为百分之五十。"),
        ("1200瓦", "功率达一千二百瓦。"),
        ("12小时", "保温12个小时。"),
        ("500毫升", "半升的水。"),
        ("2.5升", "能装两升半。"),
        ("90分钟", "播放一个半小时。"),
        ("20000毫安时", "两万毫安时，也就是2万毫安时。"),
        ("棉", "周六周日，折一折，半天也不累。"),
        ("棉", "一种舒适的选择，十分百搭，四季皆宜，万千喜爱。"),
    ],
)
def test_a_chinese_number_of_the_facts_may_be_said_in_other_units(fact: str, text: str) -> None:
    assert alarms(text, ("规格", fact), language="zh") == []


@pytest.mark.parametrize(
    ("fact", "text", "span"),
    [
        ("500毫升", "一瓶600毫升的果汁。", "600毫升"),
        ("500克", "容量500毫升。", "500毫升"),
        ("两种颜色", "三种颜色可选。", "三"),
        ("50%", "含量为百分之六十。", "百分之六十"),
        ("1米", "长一百厘米，宽两米。", "两米"),
        ("1米", "续航八小时。", "八小时"),
        ("1升", "半升的水。", "半升"),
        ("1壶4杯", "一壶六杯。", "六"),
    ],
)
def test_a_chinese_number_the_facts_do_not_hold_is_refused(fact: str, text: str, span: str) -> None:
    assert span in alarms(text, ("规格", fact), language="zh")


def test_what_a_fact_lists_may_be_counted() -> None:
    assert alarms("It comes in two colours.", ("Colour", "Sand, Moss")) == []
    assert alarms("It has three ports.", ("Ports", "2 USB-C, 1 USB-A")) == []
    assert alarms("配料只有两样。", ("配料", "南瓜子, 海盐"), language="zh") == []
    assert alarms("It has two pockets.", ("Colour", "Sand, Moss")) == ["two"]
    assert alarms("It comes in three colours.", ("Colour", "Sand, Moss")) == ["three"]


def test_a_clothing_size_is_read_beside_chinese_characters() -> None:
    assert alarms("尺码从S到XXL。", ("尺码", "S, M, L"), language="zh") == ["XXL"]


def test_a_list_that_names_one_number_twice_is_not_finished() -> None:
    facts = Facts("Juice", attributes=(("Volume", "500ml, 1l, 2l"),))
    verdict = judge("Juice comes in 500ml, 1l, 2l, and 2 l.", facts, RULES, finished=True)
    assert [reason.code for reason in verdict.reasons] == ["shape.finished"]


@pytest.mark.parametrize("text", ["It measures 320 g.", "It weighs 8 cm.", "A thing measuring 320 g on the scales."])
def test_a_weight_is_no_size(text: str) -> None:
    assert alarms(text, ("Weight", "320 g"), ("Height", "8 cm")) != []
    assert alarms("It measures 8 cm and weighs 320 g.", ("Weight", "320 g"), ("Height", "8 cm")) == []


def test_the_message_names_the_number_as_the_text_writes_it() -> None:
    facts = Facts("Thing", attributes=(("Weight", "200 g"),))
    reasons = judge("The Thing weighs 240 g.", facts, RULES, finished=True).reasons
    assert [reason.message for reason in reasons] == ['says "240 g", which the facts do not']
