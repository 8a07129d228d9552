"""The ledger: tables, sessions and every query, named as a sentence. The only package that imports sqlalchemy.

Queries take the open connection first; `Database.write()` and `.read()` give one.
"""

from copydesk.store.database import Database

__all__ = ["Database"]
