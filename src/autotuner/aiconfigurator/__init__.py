"""Files of NVIDIA's aiconfigurator: read into task documents, and written. Pure; nothing of that package is imported."""
