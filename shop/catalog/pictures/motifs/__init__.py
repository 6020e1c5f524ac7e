"""What can be drawn: a function of a pen for each thing, in a module for each part of a store."""
