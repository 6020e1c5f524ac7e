"""Data sets: a generated store, a real retailer's year, or an imported catalogue."""
