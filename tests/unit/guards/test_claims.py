"""facts.claims: material, colour, certificate, health, origin and choice are said only where the facts say them."""

import pytest

from copydesk.guards import judge
from copydesk.model import Facts
from copydesk.settings import Rules

RULES = Rules(min_words=1, min_chars_zh=1)


def claimed(text: str, facts: Facts) -> list[str]:
    """The spans that facts.claims saw."""
    verdict = judge(text, facts, RULES, finished=True)
    return [reason.span for reason in verdict.reasons if reason.code == "facts.claims"]


def shirt(*attributes: tuple[str, str], brand: str = "Saleor") -> Facts:
    return Facts("Shirt", brand, "Shirts", attributes)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("A shirt of soft leather.", "leather"),
        ("A shirt with stainless steel buttons.", "stainless steel"),
        ("A handmade shirt for Sunday.", "handmade"),
        ("A hand-crafted shirt.", "hand crafted"),
        ("This shirt is FDA approved.", "fda"),
        ("An eco-friendly shirt.", "eco friendly"),
        ("A shirt with a lifetime warranty.", "warranty"),
        ("A waterproof shirt.", "waterproof"),
        ("A shirt with a double layer.", "double"),
        ("A healthy choice of shirt.", "healthy"),
        ("A best-selling shirt.", "best selling"),
        ("A shirt on sale now.", "on sale"),
        ("A shirt in deep blue.", "blue"),
        ("The shirt was made in Italy.", "made in Italy"),
        ("A shirt made of finest alpaca yarn.", "made of finest alpaca yarn"),
        ("The shirt is made of 45cm x 45cm.", "made of 45cm x 45cm"),
        ("The shirt is made of S, M, L.", "made of S"),
        ("A shirt in a variety of colors.", "variety of colors"),
        ("Choose a shirt in your favorite size.", "favorite size"),
        ("A shirt as worn by Newton himself.", "Newton"),
        ("Sailor shirts for all.", "Sailor"),
        ("A shirt that relieves pain.", "pain"),
        ("A shirt against insomnia.", "insomnia"),
        ("A vegan shirt.", "vegan"),
    ],
)
def test_what_the_facts_do_not_say_is_refused(text: str, span: str) -> None:
    assert span in claimed(text, shirt(("Note", "plain")))


@pytest.mark.parametrize(
    ("attribute", "text"),
    [
        (("Material", "Cotton"), "A shirt made of the finest cotton."),
        (("Material", "18/8 stainless steel"), "A shirt made of 18/8 stainless steel."),
        (("Feature", "Cut from one piece"), "A shirt cut from one piece and easy to wash."),
        (("Category", "Chef's wear"), "It is a good Chef's shirt."),
        (("Material", "100% aluminum"), "A shirt of aluminium."),
        (("Material", "Merino wool"), "A woollen shirt."),
        (("Material", "Stainless steel"), "Buttons of stainless steel on a shirt."),
        (("Colour", "Navy blue"), "A navy shirt, as blue as night."),
        (("Care", "Machine wash"), "A machine-washable shirt."),
        (("Note", "Made in Portugal"), "A shirt made in Portugal."),
        (("Colour", "red, blue"), "The shirt comes in several colours."),
        (("Size", "S, M, L"), "The shirt comes in a range of sizes."),
        (("Warranty", "2 years"), "The shirt has a warranty."),
        (("材质", "棉"), "A cotton shirt."),
        (("Buttons", "Oak"), "A shirt with wooden buttons."),
        (("Water resistance", "5 ATM"), "A water-resistant shirt."),
        (("Age", "From 4 years"), "A shirt for children."),
    ],
)
def test_what_the_facts_say_may_be_said(attribute: tuple[str, str], text: str) -> None:
    assert claimed(text, shirt(attribute)) == []


def test_a_colour_is_marked_and_a_material_refused() -> None:
    verdict = judge("A shirt for days under a blue sky.", shirt(("Note", "plain")), RULES, finished=True)
    assert [(reason.span, reason.warns) for reason in verdict.reasons] == [("blue", True)]
    assert not judge("A shirt of soft leather.", shirt(("Note", "plain")), RULES, finished=True).passed


CREAM = Facts("Cream", "Orea", "Skincare", (("Ingredients", "Jojoba oil, squalane"), ("Scent", "Rose")))
JAM = Facts("果酱", "山里", "调味品", (("配料", "春笋, 香菇"),), language="zh")


@pytest.mark.parametrize(
    ("text", "facts", "span"),
    [
        ("The Cream is jojoba oil and retinol.", CREAM, "retinol"),
        ("The Cream smells of rose and jasmine.", CREAM, "jasmine"),
        ("果酱里有春笋和牛肉。", JAM, "牛肉"),
        ("果酱用橄榄油熬成。", JAM, "橄榄油"),
    ],
)
def test_an_ingredient_beside_those_of_the_facts_is_refused(text: str, facts: Facts, span: str) -> None:
    assert span in claimed(text, facts)


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("The Cream is jojoba oil and squalane.", CREAM),
        ("Put the Cream on before the coffee is ready.", CREAM),
        ("The Cream does not smell of lemon but of rose.", CREAM),
        ("配一碗大米粥，果酱就够了。", JAM),
    ],
)
def test_food_that_is_only_spoken_of_is_no_ingredient(text: str, facts: Facts) -> None:
    assert claimed(text, facts) == []


def test_a_chinese_place_that_the_facts_do_not_hold_is_an_origin() -> None:
    facts = Facts("绿茶", attributes=(("产地", "福建"),), language="zh")
    assert claimed("浙江的春天，装进绿茶。", facts) == ["浙江"]
    assert claimed("福建的春天，装进绿茶。", facts) == []


def test_a_product_is_made_of_its_material_and_not_of_its_colours() -> None:
    facts = shirt(("Colour", "Cream, Moss"), ("Material", "Cotton"))
    assert claimed("A shirt made of cream and moss.", facts) == ["made of cream and moss"]


@pytest.mark.parametrize(
    "text",
    [
        "A shirt made with care, for every day of the week.",
        "A shirt made of the finest materials.",
        "Pour a glass of wine and wear this shirt.",
        "A shirt for the red carpet, or a Sunday at home.",
        "A silky, velvety touch: this shirt is crystal clear.",
        "Saleor's shirt is easy to love. Simple things are.",
        'They say "Less is more" of this shirt.',
        "Wear this T-shirt on Monday.",
        "Wear it with linen trousers: a shirt for Sundays.",
        "The shirt turns silver-grey with the years.",
        "A shirt to wear when you send somebody for wood.",
    ],
)
def test_figures_of_speech_and_boasts_are_no_claims(text: str) -> None:
    assert claimed(text, shirt(("Note", "plain"))) == []


@pytest.mark.parametrize(
    ("fact", "text", "span"),
    [
        ("陶瓷", "采用不锈钢材质的杯子。", "不锈钢"),
        ("陶瓷", "有机认证的杯子。", "有机"),
        ("陶瓷", "杯子质保两年。", "质保"),
        ("陶瓷", "有益健康的杯子。", "健康"),
        ("陶瓷", "杯子产自景德镇。", "产自景德镇"),
        ("陶瓷", "黑色的杯子。", "黑色"),
    ],
)
def test_a_chinese_claim_the_facts_do_not_hold_is_refused(fact: str, text: str, span: str) -> None:
    assert span in claimed(text, Facts("杯子", attributes=(("材质", fact),), language="zh"))


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        ("316 不锈钢", "不锈钢杯子，经久耐用。"),
        ("Cotton", "纯棉的杯子套。"),
        ("陶瓷", "陶瓷杯子，适合配棉花糖热可可。"),
    ],
)
def test_a_chinese_claim_of_the_facts_may_be_said(fact: str, text: str) -> None:
    assert claimed(text, Facts("杯子", attributes=(("材质", fact),), language="zh")) == []
