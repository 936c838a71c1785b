"""inference-autotuner: find the launch configuration that serves an LLM best."""
