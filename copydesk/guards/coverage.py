"""facts.coverage: the facts that a text has to tell, in whatever wording."""

from collections.abc import Iterator

from copydesk.guards.draft import Draft
from copydesk.guards.explain import explain
from copydesk.model import Reason


def must_say(draft: Draft) -> Iterator[Reason]:
    """The value of each fact that the rules name, where the product has it: 0.5 l as 500 ml, of a list any part."""
    if not draft.rules.must_say:
        return
    wanted = {name.casefold() for name in draft.rules.must_say}
    if wanted.isdisjoint(name.casefold() for name, _ in draft.facts.lines()):
        return
    for name, value in explain(draft.text, draft.facts).unsaid:
        if name.casefold() in wanted:
            yield Reason("facts.coverage", f'does not say the fact "{name}": {value}', f"{name}: {value}")
