"""A review becomes a prompt for the sentences that answer it; the reply's opening, closing and sign-off are the shop's.

The model writes only what lies between them: what every reply says needs no model, and the smallest one can manage
what is left.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from string import Template

from copydesk.model import REPLY, Facts, Polarity
from copydesk.prompts.files import ReplyFile, Tone, load_replies, version
from copydesk.prompts.render import Prompt, one_line

REVIEW_LIMIT = 1500
"""Characters of a review that are sent; a longer one is cut at the end of a sentence, or of a word."""

PRODUCT_LIMIT = 300
"""Characters of the product's facts: a reply names the product, and hardly more of it."""

LOW_RATING, HIGH_RATING = 2, 4
"""Stars: praise with as few, or a complaint with as many, is answered as a mixed review."""

_SENTENCE_END = re.compile(r"[.!?…](?=\s)|[。！？]")


@dataclass(frozen=True, slots=True)
class ReplyPrompt(Prompt):
    """What to ask a model for one reply, and what stands around its answer.

    Attributes:
        opening, closing: the reply's first and last sentence.
        sign_off: the line below it, "" for none.
        joint: what stands between sentences.
    """

    opening: str
    closing: str
    sign_off: str
    joint: str

    def whole(self, answer: str) -> str:
        """The reply, from its opening to its sign-off, around the first line of what the model wrote.

        One or two sentences are asked for. What a small model writes below them is talk.
        """
        first_line = " ".join(answer.strip().partition("\n")[0].split())
        body = self.joint.join(filter(None, (self.opening, first_line, self.closing)))
        return f"{body}\n{self.sign_off}" if self.sign_off else body


def render_reply(
    review_text: str,
    *,
    language: str,
    polarity: Polarity,
    rating: int | None,
    facts: Facts | None,
    voice: str,
    opening: str,
    closing: str,
    sign_off: str,
) -> ReplyPrompt:
    """The prompt for the answer to one review.

    The review is data: it stands between marks that it cannot hold, what a chat template would obey is replaced, and
    it ends after `REVIEW_LIMIT` characters (1,500).

    Args:
        review_text: title and text, personal data masked.
        language: the review's, which is the reply's.
        polarity: what the text says of the product.
        rating: 1 to 5 stars, None where there are none.
        facts: the product's, None where it is unknown.
        voice: the shop's, "" for none.
        opening: how the reply begins: `opening()` gives one.
        closing: how it ends: `closing()` gives one.
        sign_off: the line below it, "" for none.

    Raises:
        ConfigurationError: there is no prompt for replies in this language.
    """
    file = load_replies(language)
    own = file.tones[tone(polarity, rating)]
    review = _cut(one_line(review_text))
    lines = {"product": _product(file, facts), "voice": _voice(file, voice)}
    user = _user_turn(file, own, review, **lines)
    turns = (("system", file.system.strip()), *_example_turns(file, own), ("user", user))
    plain = "\n\n".join([*_example_records(file, own), _record(file, own, review, "")])
    return ReplyPrompt(
        turns, plain, version(REPLY, language), file.echoes, opening, closing, one_line(sign_off), file.joint
    )


def tone(polarity: Polarity, rating: int | None) -> Polarity:
    """How a review is answered: as its text says, unless its stars say the contrary."""
    stars = 3 if rating is None else rating
    contrary = {Polarity.POSITIVE: stars <= LOW_RATING, Polarity.NEGATIVE: stars >= HIGH_RATING}
    return Polarity.NEUTRAL if contrary.get(polarity) else polarity


def opening(language: str, polarity: Polarity, number: int) -> str:
    """How the shop's reply of this number begins.

    Each tone has more than 20 openings that no other tone has, and takes them in turn: while a shop's numbers go up
    by one, no reply begins as one of the 20 before it.

    Args:
        language: the reply's.
        polarity: the review's `tone`.
        number: how many replies the shop has written before.

    Raises:
        ConfigurationError: there is no prompt for replies in this language.
    """
    openings = load_replies(language).tones[polarity].openings
    return openings[number % len(openings)]


def closing(language: str, polarity: Polarity, number: int) -> str:
    """How the shop's reply of this number ends; see `opening`. A complaint is invited to write to customer service."""
    closings = load_replies(language).tones[polarity].closings
    return closings[number % len(closings)]


def _user_turn(file: ReplyFile, own: Tone, review: str, product: str = "", voice: str = "") -> str:
    values = {"product": product, "voice": voice, "review": review, "ask": own.ask}
    filled = Template(file.template).safe_substitute(values)
    return "\n".join(line for line in filled.splitlines() if line.strip())


def _example_turns(file: ReplyFile, own: Tone) -> Iterator[tuple[str, str]]:
    for example in own.examples:
        yield "user", _user_turn(file, own, example.review)
        yield "assistant", example.answer


def _example_records(file: ReplyFile, own: Tone) -> Iterator[str]:
    for example in own.examples:
        yield _record(file, own, example.review, example.answer)


def _record(file: ReplyFile, own: Tone, review: str, answer: str) -> str:
    return Template(file.plain).safe_substitute(review=review, ask=own.ask, answer=answer).strip()


def _product(file: ReplyFile, facts: Facts | None) -> str:
    if facts is None or not facts.title.strip():
        return ""
    said = one_line("; ".join(value for _, value in facts.lines()))
    return Template(file.product).safe_substitute(facts=_cut(said, PRODUCT_LIMIT))


def _voice(file: ReplyFile, voice: str) -> str:
    return Template(file.voice).safe_substitute(voice=one_line(voice)) if voice.strip() else ""


def _cut(text: str, limit: int = REVIEW_LIMIT) -> str:
    """The text up to its last sentence that fits, or its last word; Chinese without a full stop ends at the limit."""
    if len(text) <= limit:
        return text
    ends = [end.end() for end in _SENTENCE_END.finditer(text, 0, limit + 1) if limit // 2 < end.end() <= limit]
    return text[: ends[-1]] if ends else text[: limit + 1].rpartition(" ")[0] or text[:limit]
