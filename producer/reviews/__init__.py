"""Review files: read what comes in, write approved replies back in the format of the platform.

    for item in read(Path("reviews.csv")):
        match item:
            case Review(): ...    # everything the file says of one review
            case Problem(): ...   # a row that was refused (error) or is odd (warning)

Problems come just before the review they speak of. Their codes are listed in producer/reviews/making.py.
"""

from producer.catalog.items import Level, Problem
from producer.reviews.export import ReplyOut, write
from producer.reviews.making import Item
from producer.reviews.reading import FORMATS, read

__all__ = [
    "FORMATS",
    "Item",
    "Level",
    "Problem",
    "ReplyOut",
    "read",
    "write",
]
