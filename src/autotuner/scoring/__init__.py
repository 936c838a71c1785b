"""From figures to a decision: objectives, SLOs, verdicts, evidence. Pure: no I/O, no clock, no randomness."""
