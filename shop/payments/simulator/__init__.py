"""A payments provider to develop and measure against: its own process, its own books, a real one's manners."""
