"""The task document: text in, typed document out. Pure: no file, clock, network or engine is touched here."""
