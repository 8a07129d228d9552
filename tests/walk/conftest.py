"""The walk opens the same desks as the services tests."""

from services.conftest import open_desk

__all__ = ["open_desk"]
