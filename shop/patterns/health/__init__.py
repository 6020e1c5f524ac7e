"""Liveness and readiness, which are two questions."""
