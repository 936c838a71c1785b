"""Makes the folders beside it importable, so that every test can use the conformance suites."""
