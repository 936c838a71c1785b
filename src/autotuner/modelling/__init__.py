"""What a model is made of, and what of it a GPU must hold. Pure: files are read elsewhere."""
