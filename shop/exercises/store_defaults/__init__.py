"""The store's own defaults in the form of an exercise's interface: a module an exercise, where the forms differ.

An adapter calls the store's real code and adds nothing that the checks observe. Here alone may the exercises import
features of the store. The process that runs an attempt never imports an adapter.
"""
