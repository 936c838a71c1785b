"""llama.cpp: our launcher around the xllamacpp wheel, or an external llama-server."""
