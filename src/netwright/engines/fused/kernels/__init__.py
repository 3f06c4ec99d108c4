"""The compiled pieces that the loops call: scalars, rows of the tables, products."""
