"""A table in memory, and as the numbers that a network takes. Nothing here knows a network."""
