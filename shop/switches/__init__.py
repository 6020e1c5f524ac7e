"""Switches and the lab's parameters: what there is, what is set, and where it is stored."""
