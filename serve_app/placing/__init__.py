"""What makes up a placement: what each part of a Serve config may hold, and whether shares of GPUs fit."""
