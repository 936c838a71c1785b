"""The history of the schema: Alembic revisions in ``versions``, oldest first in ``REVISIONS``.

The list is repeated here because opening a store must know the newest revision without loading Alembic.
"""

REVISIONS = ("0001", "0002", "0003", "0004", "0005")
HEAD = REVISIONS[-1]
