"""The lab in the store itself: its page, and the API that flips switches, sets parameters and asks for faults."""
