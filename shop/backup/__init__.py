"""Safety copies of the store's database: one file, taken while the store runs, put back while it does not.

Problem: a database that is lost takes every order with it; and a copy that was never put back is a hope.
Method: all tables as they stood at one moment (REPEATABLE READ), in one file with the schema's revision. It is put
back in one transaction, tables and all, so a restore that fails leaves what was there. What happened after the copy is
gone here and not at the payments provider: the auditor names those charges, and each is settled by hand.
Drill: ``tests/integration/test_backup_drill.py``, in every test run.
Source: PostgreSQL manual, 25.1 (SQL dump) and 13.2.2 (REPEATABLE READ).
"""
