"""Experiments: each changes one switch of the running store, offers load, and judges the figures. It uses HTTP only."""
