"""Makes `served` importable in the folders below."""
