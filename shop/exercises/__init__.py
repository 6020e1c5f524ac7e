"""The exercises of the action plan: they check themselves by running code.

Problem: a reader believes that a pattern is understood, and nothing contradicts.
Method: an exercise is a folder of files (see ``definition``). A *predict* exercise compares a number that the reader
gave before with a measurement on the running store (see ``measurements``). A *build* exercise runs the reader's file in
a process of its own and observes its behaviour (see ``graders``). A check ends with one of three words (see
``verdict``); "could not judge" counts neither as a pass nor as a failure.
Source: rustlings and exercism: each exercise fails unsolved and passes solved; Maelstrom: valid, invalid, unknown.
"""
