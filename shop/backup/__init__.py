"""Backups of the store's database: one file, taken while the store runs, restored while the store is stopped.

Problem: the loss of the database loses every order, and an untested backup may not be restorable.
Method: one file holds all tables at one moment (REPEATABLE READ) and the schema's revision. One transaction restores
the schema and all rows, so a failed restore changes nothing. Orders after the backup are lost here, but the payment
provider still has their charges: the auditor reports those charges, and staff settle each one.
Drill: ``tests/integration/test_backup_drill.py``, in every test run.
Source: PostgreSQL manual, 25.1 (SQL dump) and 13.2.2 (REPEATABLE READ).
"""
