"""What was bought: orders, their lines, and the events that made them what they are."""
