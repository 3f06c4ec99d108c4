"""Ways of learning that choose for themselves: samples in, networks out."""
