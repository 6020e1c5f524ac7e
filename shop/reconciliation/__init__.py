"""Reconciliation: the auditor recomputes stock, orders and money, and reports every mismatch.

Problem: a store that checks its sums with its own code repeats that code's errors.
Method: the auditor reads one consistent snapshot of the store's database with separate SQL, and the payment provider's
list of charges. It recomputes every stored figure from the orders' events, and compares all data that both sides have.
An unfinished process is a mismatch only after a stated age. The two sides cannot be read at the same instant, so a
mismatch counts only if a second audit finds it again.
The auditor uses no service, model or fold of the store.
Source: Kreps, "The Log" (2013), on tables as derived data; Helland, "Life beyond Distributed Transactions" (2007).
"""
