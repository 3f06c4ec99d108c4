"""The compiled loops: one for each way of sharing a step among workers."""
