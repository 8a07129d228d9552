"""Ruleset files: read, checked, and merged with the settings, a kind's own rules and a channel's preset.

>>> layer = Layer("copydesk.toml", {"max_words": 60})
>>> found = merge("description", "en", base=[layer])
>>> found.rules.max_words, found.sources["max_words"], found.sources["min_words"]
(60, ('copydesk.toml',), ('default',))
"""

from copydesk.rulesets.files import Known, Ruleset, check, indented, load, unknown_names
from copydesk.rulesets.learning import Style, learn
from copydesk.rulesets.merging import Effective, Layer, contradictions, merge
from copydesk.rulesets.model import CHANNELS
from copydesk.rulesets.samples import texts_of

__all__ = [
    "CHANNELS",
    "Effective",
    "Known",
    "Layer",
    "Ruleset",
    "Style",
    "check",
    "contradictions",
    "indented",
    "learn",
    "load",
    "merge",
    "texts_of",
    "unknown_names",
]
