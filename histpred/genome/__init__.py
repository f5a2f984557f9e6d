"""From files to windows: annotation readers, the reference, window geometry, the ledger."""
