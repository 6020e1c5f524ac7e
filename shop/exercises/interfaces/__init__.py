"""The interfaces of build exercises: a module an exercise.

A Protocol with ``__call__`` states the name and the parameters of what the attempt defines: a function, or a class that
is called as a factory. If the call returns an object, a second Protocol of the same module states its methods. The
rules of Python hold: a parameter before ``/`` may have any name, and the attempt may add parameters with a default.
The modules import little: the process that runs an attempt loads them (see ``check_rule``).
"""
