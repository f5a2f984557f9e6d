"""One thin file a verb: parse, call, report."""
