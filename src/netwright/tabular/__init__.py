"""A table in, a model out."""
