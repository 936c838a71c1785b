"""Makes the catalogues: reads the parsers of engines from their published packages, without running them."""
