"""The store on SQLite or PostgreSQL: ``open_store`` opens it; ``upgrade``, ``backup`` … serve `autotuner db`."""

from autotuner.store.columns import utc_now
from autotuner.store.maintenance import backup, check, schema_state, upgrade
from autotuner.store.schema import SchemaState
from autotuner.store.sql_store import SqlStore, open_store

__all__ = ["SchemaState", "SqlStore", "backup", "check", "open_store", "schema_state", "upgrade", "utc_now"]
