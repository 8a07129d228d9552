import pytest

from copydesk import guards
from copydesk.model import Facts
from copydesk.settings import Rules

SOURCE = "云栖生活双人露营帐篷，重量2.3千克。"


def reasons(source: str, text: str, language: str) -> list[str]:
    facts = Facts("双人露营帐篷", brand="云栖生活", language=language)
    return [reason.message for reason in guards.left_out(source, text, facts, Rules())]


@pytest.mark.parametrize("left", ["露营帐篷", "栖"])
def test_an_english_translation_keeps_no_chinese_word(left: str) -> None:
    found = reasons(SOURCE, f"The {left} for two weighs 2.3 kg.", "en")
    assert found == [f'leaves a part of the text untranslated: "{left}"']


@pytest.mark.parametrize("name", ["云栖生活", "云栖", "双人露营帐篷"])
def test_an_english_translation_may_keep_a_name(name: str) -> None:
    assert reasons(SOURCE, f"The {name} tent weighs 2.3 kg.", "en") == []


def test_a_whole_english_translation_passes() -> None:
    assert reasons(SOURCE, "The camping tent for two weighs 2.3 kg.", "en") == []


def test_a_chinese_translation_may_keep_a_latin_name() -> None:
    assert reasons("The Pell tent weighs 2.3 kg.", "Pell 帐篷重2.3千克。", "zh") == []


def test_copy_that_is_no_translation_is_not_looked_at() -> None:
    assert reasons("", "露营帐篷", "en") == []
