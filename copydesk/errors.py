"""What can go wrong, one sentence each. Every message names the remedy.

CopydeskError
├── ConfigurationError     a setting is missing, unknown or contradicts another; nothing was started
├── InputError             what the user handed in cannot be used; nothing was stored
│   └── NotFound           the named shop, run, draft or product does not exist
├── MissingFact            a prompt needs a fact that the product does not have
├── IllegalMove            a draft may not go from its state to the one asked for
├── ModelError             the model cannot be found, fetched or loaded
└── StoreUnavailable       the database cannot be reached, is full or has not been migrated
"""

from enum import StrEnum


class CopydeskError(Exception):
    """Everything that Copydesk raises on purpose; the command line prints it without a traceback."""


class ConfigurationError(CopydeskError):
    """A setting is missing, unknown or contradicts another; nothing was started."""


class InputError(CopydeskError):
    """What the user handed in cannot be used; nothing was stored."""


class NotFound(InputError):
    """The named shop, run, draft or product does not exist."""


class MissingFact(CopydeskError):
    """A prompt needs a fact that the product does not have."""

    def __init__(self, fact: str) -> None:
        super().__init__(f"the product has no {fact}: add it to the catalog and import again")
        self.fact = fact


class IllegalMove(CopydeskError):
    """A draft may not go from its state to the one asked for."""


class ModelError(CopydeskError):
    """The model cannot be found, fetched or loaded."""


class Failure(StrEnum):
    """What kept a database from doing what it was asked, as far as that decides whether to ask again."""

    CONFLICT = "conflict"  # another transaction held the same rows; nothing was done
    AWAY = "away"  # it does not answer, or ended the connection
    FULL = "full"  # no room is left
    UNFIT = "unfit"  # it is not a database of ours, or not migrated: no waiting helps


class StoreUnavailable(CopydeskError):
    """The database cannot be reached, is full or has not been migrated."""

    def __init__(self, message: str, failure: Failure = Failure.UNFIT) -> None:
        super().__init__(message)
        self.failure = failure
