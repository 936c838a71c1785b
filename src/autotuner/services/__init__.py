"""Use cases: what the command line (later the API and workers) asks for. The only place that chooses plug-ins."""
