"""The reader's code in the running store.

Problem: code that is being learned loops, sleeps, prints without an end or ends its process, and other visitors share
that process.
Method: a process loads this package only when the stored value of a switch is an attempt. Each call of the attempt has
a limit. A watchdog thread raises an exception in a call that takes longer. If that does not end the call within a
second (code in C, a lock, a sleep), the process stops taking requests and is replaced. Whatever the attempt does wrong
is noted with the reader's file, line and function, and the store's own code does that call. After three calls that had
to be ended, the store's own code is in force again, in every process.
Source: Nygard, "Release It!": timeouts, bulkheads, and let it crash.
"""
