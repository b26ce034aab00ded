"""What every part stands on and no rule of the business knows: settings, errors, clock, database, outbox, leases, paging."""
