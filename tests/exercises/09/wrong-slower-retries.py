# supplier.py
PAUSE_S = 0.2  # fewer calls a second, but still without an end
