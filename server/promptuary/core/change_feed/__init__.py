"""How a process notices that the database has changed, whichever process changed it: a cheap check, and events for waiters.

A project has revisions, which its writers increment in the transaction of the write. On SQLite they are checked each time:
`PRAGMA data_version` takes two microseconds, waits for no writer, and differs once another connection has committed; only
then are the revisions read. PostgreSQL notifies a thread of the process by NOTIFY, and the process's own writes are known to
it before their responses leave; a poll each second finds what a broken connection has missed.
"""
