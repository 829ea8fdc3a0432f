"""One process for several stages of one GPU."""
