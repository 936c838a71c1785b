"""The quality guard's questions to a server: fixed prompts, answered greedily, with log-probabilities."""
