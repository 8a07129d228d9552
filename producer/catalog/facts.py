"""Collects the facts of one product from its cells, and what was odd about them."""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from copydesk.model import Dialect, Facts, Product, TextFormat
from producer.catalog import text
from producer.catalog.items import Level, Problem, TextUpdate
from producer.catalog.labels import without_line

MAX_SKU = 255
"""Characters of a key: Shopify's own limit for handles."""

WRITTEN_LANGUAGES = frozenset({"en", "zh"})


@dataclass
class FactSheet:
    """One product in the making. `clean` and `add` fold raw cells and note what they had to remove."""

    line: int
    sku: str
    title: str = ""
    brand: str = ""
    category: str = ""
    attributes: list[tuple[str, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def warn(self, code: str, message: str) -> None:
        self.problems.append(Problem(self.line, self.sku, Level.WARNING, code, message))

    def clean(self, name: str, raw: str) -> str:
        """The value of a raw cell; what had to be removed from it becomes a warning under `name`."""
        folded = text.fold(raw)
        if folded.unsafe:
            self.warn(
                "html.unsafe", f"{name} holds a script, a style or an event handler: it was left out of the facts"
            )
        if folded.shortened:
            self.warn(
                "value.shortened", f"{name} is longer than {text.MAX_VALUE} characters: only its beginning is used"
            )
        return folded.text

    def add(self, name: str, raw: str) -> None:
        """One more attribute; a blank value or an exact repeat adds nothing."""
        label = text.fold(name).text
        value = self.clean(label, raw)
        if label and value and (label, value) not in self.attributes:
            self.attributes.append((label, value))

    def add_joined(self, name: str, values: Iterable[str]) -> None:
        """One attribute with several parts, each once, in order."""
        parts = dict.fromkeys(map(str.strip, values))
        parts.pop("", None)
        self.add(name, ", ".join(parts))

    def product(
        self, description: str, text_format: TextFormat, dialect: Dialect, source: Mapping[str, str], locale: str = ""
    ) -> Iterator[Product | Problem]:
        """Every warning, then the product, its text without our own label."""
        description = without_line(description)
        facts = Facts(
            self.title, self.brand, self.category, tuple(self.attributes), self._language(locale, description)
        )
        lines = facts.lines()
        if len(lines) == 1:
            self.warn(
                "facts.few", "only a title is known: add brand, category or attributes, or nothing can be written"
            )
        instructs = text.instructs("\n".join([*(value for _, value in lines), description])) != ""
        if instructs:
            for name, value in lines:
                self._warn_of_instruction(name, value)
        self._check_description(description, instructs=instructs)
        yield from self.problems
        yield Product(self.sku, facts, description, text_format, dialect, source)

    def text_update(
        self, description: str | None, text_format: TextFormat, dialect: Dialect
    ) -> Iterator[TextUpdate | Problem]:
        """Every warning, then the text, without our own label."""
        description = description and without_line(description)
        self._check_description(description or "", instructs=True)
        yield from self.problems
        yield TextUpdate(self.sku, self.title, description, dialect, text_format, self.line)

    def _check_description(self, description: str, *, instructs: bool) -> None:
        """`instructs` is False where it is known to instruct no model."""
        if text.is_unsafe(description):
            self.warn(
                "html.unsafe",
                "the description holds a script, a style or an event handler: replace or remove it",
            )
        if instructs:
            self._warn_of_instruction("the description", description)

    def _warn_of_instruction(self, name: str, value: str) -> None:
        if words := text.instructs(value):
            self.warn("text.instructs", f"{name} tries to instruct a model ({words!r}): kept as data; check the result")

    def _language(self, locale: str, description: str) -> str:
        language = text.language_of_locale(locale)
        if locale.strip() and language not in WRITTEN_LANGUAGES:
            self.warn("language.unsupported", f"locale {locale!r} is not written yet: use en or zh, or leave it blank")
        values = " ".join([self.title, self.brand, self.category, *(value for _, value in self.attributes)])
        return language or text.language_of_product(values, description)


class Keys:
    """The keys met so far in one file; the first product with a key wins.

    Of each only 64 bits are kept, in groups: 20 MB for a million keys, where a set of the keys themselves takes 100 to
    200. That two of a million keys share those bits happens once in 37 million files.
    """

    def __init__(self) -> None:
        self._groups: defaultdict[int, array[int]] = defaultdict(partial(array, "q"))

    def __contains__(self, sku: str) -> bool:
        return hash(sku) in self._group(sku)

    def _group(self, sku: str) -> "array[int]":
        return self._groups[hash(sku) & 0xFFFF]

    def admit(self, line: int, sku: str, title: str) -> Problem | None:
        """Take the key, or say why the product is refused."""
        if refusal := self._refusal(sku, title):
            return Problem(line, sku[:MAX_SKU], Level.ERROR, *refusal)
        self._group(sku).append(hash(sku))
        return None

    def _refusal(self, sku: str, title: str) -> tuple[str, str] | None:
        if not sku:
            return "sku.missing", "the product has no key (handle, SKU or ID): give it one"
        if len(sku) > MAX_SKU:
            return "sku.too_long", f"the key has {len(sku)} characters: shorten it to {MAX_SKU}"
        if sku in self:
            return "sku.duplicate", "an earlier row has the same key and was used: give one of the two another key"
        if not text.fold(title).text:
            return "title.missing", "the product has no title: give it one"
        return None
