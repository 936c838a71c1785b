"""Files of NVIDIA's aiconfigurator, read into task documents and written. Pure; that package is not needed."""
