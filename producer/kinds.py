"""`copydesk kinds`: what can be written, in which languages, within which limits."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from copydesk import prompts
from copydesk.jobs import recipes
from copydesk.model import is_chinese
from copydesk.settings import Rules, Settings
from producer import report


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of copy in one language; `limits` for people, `rules` all that count."""

    kind: str
    language: str
    prompt: str
    translates: bool
    limits: str
    summary: str
    rules: Rules


def listed(settings: Settings, shop: str = "") -> list[Kind]:
    """Every kind in every language, with the rules of a shop where one is named.

    Raises:
        ConfigurationError: a prompt or a ruleset file is wrong.
    """
    folder = settings.prompts_dir
    pairs = [(kind, language) for kind in prompts.kinds(folder) for language in prompts.languages(kind, folder)]
    return [_kind(settings, shop, *pair) for pair in pairs]


def _kind(settings: Settings, shop: str, kind: str, language: str) -> Kind:
    file = prompts.load(kind, language, settings.prompts_dir)
    rules = recipes.rules_for(settings, shop, kind, language)
    limits = ", ".join(_limits(rules, language))
    return Kind(kind, language, file.name, file.translates, limits, file.summary, rules)


def _limits(rules: Rules, language: str) -> Iterator[str]:
    if is_chinese(language):
        yield f"{rules.min_chars_zh} to {rules.max_chars_zh} characters"
    else:
        yield f"{rules.min_words} to {rules.max_words} words"
    if rules.max_characters:
        yield f"{rules.max_characters} characters with blanks and marks"
    if rules.min_bullets or rules.max_bullets:
        yield f"{rules.min_bullets or 1} to {rules.max_bullets or 'any number of'} bullets"
    if rules.one_line:
        yield "one line"


def show(kinds: list[Kind], *, as_json: bool) -> None:
    if as_json:
        report.print_json([{**asdict(one), "rules": one.rules.model_dump(mode="json")} for one in kinds])
        return
    rows = [(one.kind, one.language, one.limits, one.summary) for one in kinds]
    report.print_table(("kind", "language", "limits", "what it is for"), rows, "no kinds of copy")
