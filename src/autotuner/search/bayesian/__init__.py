"""The default strategy: Gaussian processes of scores and SLOs, for few, costly, noisy experiments with constraints."""
