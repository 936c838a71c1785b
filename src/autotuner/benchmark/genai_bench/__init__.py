"""The client genai-bench, as a program of its own."""
