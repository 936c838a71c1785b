"""Benchmark clients, each behind ``contracts.client.BenchmarkClient``."""
