"""A load on a running service: people who talk, what they saw, and what it took the service."""
