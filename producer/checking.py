"""What a person named on the command line: is there such a kind of copy, such a shop?"""

from copydesk import prompts
from copydesk.errors import InputError
from copydesk.model import TRANSLATION_MARK
from copydesk.settings import Settings


def check_kind(settings: Settings, kind: str) -> None:
    """Raises InputError unless products have texts of this kind; those of translations name their language."""
    folder = settings.prompts_dir
    name, mark, language = kind.partition(TRANSLATION_MARK)
    languages = prompts.languages(name, folder) if name in prompts.kinds(folder) else ()
    is_translated = any(prompts.load(name, one, folder).translates for one in languages)
    if is_translated and language not in languages:
        kinds = " or ".join(f"{name}{TRANSLATION_MARK}{one}" for one in languages)
        raise InputError(f"each language of a {name} is a kind of its own: use {kinds}, not {kind!r}")
    if not languages or (mark and not is_translated):
        known = ", ".join(prompts.kinds(folder))
        raise InputError(f"there is no copy of the kind {kind!r}: `copydesk kinds` lists them ({known})")


def check_shop(settings: Settings, shop: str) -> None:
    """Raises NotFound unless the settings or the database know the shop."""
    if shop in settings.shops:
        return
    from copydesk.store import products  # the settings do without a database
    from producer.opening import ledger

    with ledger() as (_, database), database.read() as connection:
        products.find_shop(connection, shop)
