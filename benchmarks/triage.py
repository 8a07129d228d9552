"""Triage on one core: routing alone, and all that happens to a review before any model is asked.

    .venv/bin/python benchmarks/triage.py [--reviews 100000] [--seed 1]

Reviews of one to five short sentences, a third each in English, German and Chinese, one in fifty with a grave word.
"""

import argparse
import random
import time
from collections import Counter
from typing import Any

import workload

from copydesk.model import Platform, Review, Reviewer
from copydesk.settings import Replies
from copydesk.triage import language_of, masked, route, triage

WARM_UP = 500
LANGUAGES = frozenset({"en", "de", "zh"})

SENTENCES = {
    "en": [
        "Great quality for the price.", "It broke after two weeks.", "My kids love it!", "Shipping took far too long.",
        "The colour is not what I expected.", "I would buy it again.", "The zip is stuck most of the time.", "Not bad.",
        "Works with my old charger and fits in the bag.", "The instructions are hard to read, but it was easy to set.",
    ],
    "de": [
        "Sehr gute Qualität für den Preis.", "Nach zwei Wochen kaputt.", "Meine Kinder lieben es!", "Gerne wieder.",
        "Die Lieferung hat lange gedauert.", "Die Farbe ist anders als erwartet.", "Passt perfekt in die Tasche.",
        "Der Reißverschluss klemmt.", "Die Anleitung ist schwer zu lesen, der Aufbau war trotzdem einfach.",
    ],
    "zh": [
        "质量很好，价格实惠。", "用了两周就坏了。", "孩子很喜欢！", "物流太慢了，等了一个星期。", "颜色和图片不一样。",
        "还会再买。", "拉链总是卡住。", "尺寸刚刚好，放包里很方便。", "说明书看不太懂，不过安装很简单。",
        "包装很用心，推荐购买。",
    ],
}  # fmt: skip
GRAVE = {"en": "Then it caught fire.", "de": "Dann fing es Feuer.", "zh": "后来起火了。"}


def reviews(count: int, seed: int) -> list[Review]:
    """Distinct enough reviews of a made-up shop."""
    chosen = random.Random(seed)
    made = []
    for number in range(count):
        language = chosen.choice(list(SENTENCES))
        said = [chosen.choice(SENTENCES[language]) for _ in range(chosen.randint(1, 5))]
        said += [GRAVE[language]] if chosen.random() < 0.02 else []
        text = ("" if language == "zh" else " ").join(said)
        made.append(Review(str(number), text, Platform.OWN, rating=chosen.randint(1, 5), reviewer=Reviewer("Jo Doe")))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reviews", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    made, replies = reviews(arguments.reviews, arguments.seed), Replies(staff=("Karen Miller",), person=("nickel",))
    works = {
        "routing": lambda review: route(review.text, replies),
        "language": lambda review: language_of(review.text),
        "masking": lambda review: masked(review.text, (review.reviewer.name,)),
        "whole triage": lambda review: triage(review, replies, languages=LANGUAGES),
    }
    rows: list[dict[str, Any]] = []
    for name, work in works.items():
        for review in made[:WARM_UP]:
            work(review)
        began = time.perf_counter()
        for review in made:
            work(review)
        seconds = time.perf_counter() - began
        rows.append({"work": name, "reviews": len(made), "seconds": seconds, "reviews/s": len(made) / seconds})
    routes = Counter(route(review.text, replies)[0].value for review in made)
    characters = sum(len(review.text) for review in made) / len(made)
    workload.report("triage", rows, seed=arguments.seed, characters=characters, routes=dict(routes))


if __name__ == "__main__":
    main()
