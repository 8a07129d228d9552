import pytest

from copydesk import guards
from copydesk.model import Facts
from copydesk.settings import Rules

SHOE = Facts(
    "Mesh Shoe",
    brand="Pell",
    category="Shoes",
    attributes=(
        ("Weight", "240 g"),
        ("Drop", "8 mm"),
        ("Width", "25 cm"),
        ("Cable", "1.8 m fabric"),
        ("Dimensions", "12 x 9 cm"),
        ("Max load", "120 kg"),
        ("Weight capacity", "90 kg"),
        ("Diameter", "30 cm"),
    ),
)
CHAIR = Facts(
    "折叠钓鱼椅",
    category="椅子",
    attributes=(("重量", "1.8 千克"), ("承重", "120 千克"), ("尺寸", "52 × 48 × 65 厘米"), ("容量", "500 毫升")),
    language="zh-CN",
)


def spans(text: str, facts: Facts) -> list[str]:
    reasons = guards.judge(text, facts, Rules(), finished=True).reasons
    return [reason.span for reason in reasons if "as of something else" in reason.message]


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("It has a drop of 240 grams.", "240 grams"),
        ("A shoe with a 240 g drop.", "240 g"),
        ("The cable has a length of 25 cm.", "25 cm"),
        ("It is 25 cm long.", "25 cm"),
        ("It weighs only 120 kg.", "120 kg"),
    ],
)
def test_a_number_of_one_fact_told_as_another_is_refused(text: str, span: str) -> None:
    assert spans(text, SHOE) == [span]


@pytest.mark.parametrize(
    "text",
    [
        "It weighs 240 g and has a drop of 8 mm.",
        "A shoe of 240 g with an 8 mm drop.",
        "The cable has a length of 1.8 m.",  # of a fact that may be told as any
        "It is 12 cm long and 9 cm wide.",
        "It is 25 cm wide.",
        "It takes a load of 120 kg and holds 90 kg.",
        "The pan is 30 cm wide.",
        "240 g, 8 mm drop.",
        "It takes a load of 90 kg and has a weight capacity of 120 kg.",  # both say what it holds
        "It is 25 cm across, and the pan is 30 cm across.",
        "A shoe with a 240 g high-grip sole and a 25 cm deep-set heel.",
    ],
)
def test_a_number_beside_the_name_of_its_own_fact_passes(text: str) -> None:
    assert spans(text, SHOE) == []


@pytest.mark.parametrize(
    ("text", "span"), [("重量120 千克。", "120 千克"), ("椅子重约120千克。", "120千克"), ("承重为1.8千克。", "1.8千克")]
)
def test_in_chinese_too_a_number_told_as_another_is_refused(text: str, span: str) -> None:
    assert spans(text, CHAIR) == [span]


@pytest.mark.parametrize(
    "text", ["重量1.8千克，承重120千克。", "椅子重1.8千克。", "容量约为 500 毫升。", "可承重达120千克。"]
)
def test_in_chinese_too_a_number_beside_its_own_name_passes(text: str) -> None:
    assert spans(text, CHAIR) == []
