"""Stored presets: what one is, merging several, translating one to another engine. Pure."""
