"""Experiments: flip one switch of the running store, load it, and judge what changed. Over HTTP only."""
