"""reply.promise: what a shop may say of itself. Lists of promises have an end, the ways to promise have none."""

import re
from collections.abc import Iterator

from copydesk.guards.reply_bans import LISTS
from copydesk.guards.reply_draft import Reply
from copydesk.model import Reason


def _set(name: str) -> frozenset[str]:
    return frozenset(LISTS[name].split())


_ADVERBS = "|".join(sorted(_set("own_adverbs")))
# "So that we can find a solution" promises nothing.
_WE = re.compile(
    rf"(?<!so )(?<!so that )(?<!how )\b(?:we|i)\b(?P<short>'(?:re|m|ve|ll|d)\b)?(?: (?:{_ADVERBS})\b)*"
    rf"(?: (?P<verb>[a-z']+))?(?: (?:{_ADVERBS})\b)*(?: (?P<next>[a-z']+))?"
)
_VERBS, _STATES, _MODALS = _set("own_verbs"), _set("own_states"), _set("own_modals")
_MODAL_VERBS, _DONE = _set("own_modal_verbs"), _set("own_done")
_BE, _HAVE = frozenset({"are", "am", "were", "was"}), frozenset({"have", "had", "haven't"})

_WE_ZH = re.compile(
    rf"(?<![与给对诉系让向跟和找到帮使令为知予助])(?:我们|小编|本店|小店|店家|我方)(?!都?(?:很(?!快)|非常|十分|深|倍|特别|无比|由衷|衷心|真诚))(?![^，。！？；,.!?;]{{0,14}}(?:{'|'.join(sorted(_set('own_verbs_zh')))}))"
    r"[^，。！？；,.!?;]{0,12}"
)

_THIRD = _set("third_parties")
_THIRD_ZH = re.compile("|".join(LISTS["third_parties_zh"]))

_CLAUSE_DE = re.compile(r"[^,.;:!?\n]+")
_VERBS_DE, _CLAUSES_DE, _DONE_DE = _set("own_verbs_de"), _set("own_clauses_de"), _set("own_done_de")


def acts(reply: Reply) -> Iterator[Reason]:
    """Of itself the shop says what it feels, wishes and thanks for, and nothing that it does, did or will do."""
    span = _english(reply.lower) or _german(reply.lower)
    if not span and not reply.lower.isascii():
        found = _WE_ZH.search(reply.lower)
        span = found.group() if found else ""
    if span:
        yield Reason("reply.promise", f'says that the shop does something: "{span}"', span)


def third_parties(reply: Reply) -> Iterator[Reason]:
    """Nobody is brought in whom the review does not speak of: an engineer, a supplier, a head office."""
    said = _THIRD & reply.draft.vocabulary
    span = next(iter(sorted(said - reply.draft.sheet.words)), "")
    if not span and not reply.lower.isascii():
        known = reply.draft.sheet.values
        span = next((name for name in _THIRD_ZH.findall(reply.lower) if name not in known), "")
    if span:
        yield Reason("reply.promise", f'brings in "{span}", of whom the review does not speak', span)


def _english(lower: str) -> str:
    for found in _WE.finditer(lower):
        if found["verb"] and not _may_be_said(found["short"] or "", found["verb"], found["next"] or ""):
            return found.group()
    return ""


def _may_be_said(short: str, verb: str, following: str) -> bool:
    if short in ("'re", "'m"):
        return verb in _STATES
    if short == "'ve":
        return verb in _DONE
    if short in ("'ll", "'d"):
        return verb in _MODAL_VERBS
    if verb in _BE:
        return not following or following in _STATES
    if verb in _HAVE:
        return following in _DONE
    return following in _MODAL_VERBS if verb in _MODALS else verb in _VERBS


def _german(lower: str) -> str:
    """The verb stands before or after "wir"; in a subordinate clause it ends the clause, and anything may."""
    if " wir" not in lower and " ich" not in lower and not lower.startswith(("wir", "ich")):
        return ""
    for clause in _CLAUSE_DE.findall(lower):
        words = clause.split()
        for place, word in enumerate(words):
            if word in ("wir", "ich") and not _may_be_said_de(words, place):
                return str(clause.strip())
    return ""


def _may_be_said_de(words: list[str], place: int) -> bool:
    before, after = words[:place], words[place + 1 :]
    if not after or not _CLAUSES_DE.isdisjoint(before[-1:]):
        return True
    verb = {*before[-1:], *after[:1]}
    if verb & {"haben", "habe"}:
        return not _DONE_DE.isdisjoint(words)
    return not _VERBS_DE.isdisjoint(verb)
