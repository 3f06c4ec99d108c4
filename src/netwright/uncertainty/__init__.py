"""How sure predictions are: what rows that were not learned from tell of the next one."""
