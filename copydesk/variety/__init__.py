"""Texts that are nearly the same, among any number of them: sieved by MinHash, made certain by comparing.

    >>> red = "A plain red mug of stoneware that holds half a litre and may go into the dishwasher every single day."
    >>> blue = red.replace("every single day", "every single night")
    >>> near_duplicates([(7, red), (8, "A lamp."), (9, blue)])
    [Pair(earlier=7, later=9, likeness=0.8947368421052632)]

Time and memory grow with the number of texts, not with its square.
"""

from copydesk.variety.shingles import likeness, shingles
from copydesk.variety.sieve import THRESHOLD, Pair, Sieve, Text, near_duplicates

__all__ = ["THRESHOLD", "Pair", "Sieve", "Text", "likeness", "near_duplicates", "shingles"]
