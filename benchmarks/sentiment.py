"""Sentiment by word lists: how often it is right, and how quick.

    .venv/bin/python benchmarks/sentiment.py [--data ../shared/data] [--repeat 3]

Reads reviews_zh.jsonl (label) and amazon_reviews_en.jsonl (polarity: its sign) of the folder. `resolved` takes positive
or negative, whichever is likelier; `strict` counts a neutral one as wrong. The Chinese lists were tried on the reviews
called `zh even`; `zh odd` had no part in it. One core; the best of the repeats.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import workload

from copydesk.jobs.evaluation import Labelled, evaluate, read_labelled
from copydesk.triage.opinions import opinions
from copydesk.triage.sentiment import leaning, sentiment


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    chinese, _ = read_labelled(arguments.data / "reviews_zh.jsonl")
    english, _ = read_labelled(arguments.data / "amazon_reviews_en.jsonl")
    rows = [
        measured("en", english, "en", arguments.repeat),
        measured("zh", chinese, "zh", arguments.repeat),
        measured("zh even", chinese[::2], "zh", arguments.repeat),
        measured("zh odd", chinese[1::2], "zh", arguments.repeat),
    ]
    workload.report("sentiment", rows, repeat=arguments.repeat)


def measured(name: str, reviews: list[Labelled], language: str, repeat: int) -> dict[str, Any]:
    """One row: accuracy of positive against negative, and items/s of sentiment and of opinions."""
    found = [sentiment(one.text, language) for one in reviews]
    strict = evaluate((one.label, said.polarity) for one, said in zip(reviews, found, strict=True))
    resolved = evaluate((one.label, leaning(said)) for one, said in zip(reviews, found, strict=True))
    texts = [one.text for one in reviews]
    return {
        "reviews": name,
        "texts": len(texts),
        "characters": sum(map(len, texts)) / len(texts),
        "resolved": resolved.polar_accuracy,
        "strict": strict.polar_accuracy,
        "items/s": len(texts) / min(seconds(sentiment, texts, language) for _ in range(repeat)),
        "opinions/s": len(texts) / min(seconds(opinions, texts, language) for _ in range(repeat)),
    }


def seconds(judge: Any, texts: list[str], language: str) -> float:
    began = time.perf_counter()
    for text in texts:
        judge(text, language)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
