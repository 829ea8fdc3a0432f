"""Ditto's trained networks in torch, by the names of the published files; only the files here import torch."""
