"""Files: one container of tensors and JSON, written whole or not at all; networks in it."""
