"""Versioned text, one file per kind and language; a missing fact raises and is named.

>>> from copydesk.model import Facts
>>> prompt = render("description", Facts("Orange Juice", category="Juices", attributes=(("Volume", "500 ml"),)))
>>> prompt.version
'description/en@1'
>>> prompt.turns[-1][0]
'user'
"""

from copydesk.prompts.asking_again import again, again_digest
from copydesk.prompts.files import PromptFile, digest, kinds, languages, load, rules, version
from copydesk.prompts.render import FACTS_LIMIT, Prompt, render, voice
from copydesk.prompts.replies import REVIEW_LIMIT, ReplyPrompt, closing, opening, render_reply, tone

__all__ = [
    "FACTS_LIMIT",
    "REVIEW_LIMIT",
    "Prompt",
    "PromptFile",
    "ReplyPrompt",
    "again",
    "again_digest",
    "closing",
    "digest",
    "kinds",
    "languages",
    "load",
    "opening",
    "render",
    "render_reply",
    "rules",
    "tone",
    "version",
    "voice",
]
