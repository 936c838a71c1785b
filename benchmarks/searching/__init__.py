"""What `benchmarks/search.py` compares strategies on, how it runs them, and what it shows."""
