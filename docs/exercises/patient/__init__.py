"""A small shop service with weaknesses: the patient of exercise 09."""
