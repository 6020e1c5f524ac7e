"""The auditor: recomputes what should be, from both sides, and names what is not so.

Problem: a store that counts itself checks its sums with the code that made the mistake.
Method: one consistent snapshot of the store's database, read with SQL of its own, and the payments provider's own list
of charges. Every figure that is kept is worked out again from the events of the orders, and everything the two sides
both know is compared. What is under way at the moment of looking is no mismatch until it is older than a stated age;
and since the two sides cannot be read at the same instant, a mismatch counts when it is seen twice.
It uses nothing of what it audits: no service, no model, no fold.
Source: Kreps, "The Log" (2013), on tables as derived data; Helland, "Life beyond Distributed Transactions" (2007).
"""
