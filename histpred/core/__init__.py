"""Values, errors, outputs and texts that everything else builds on; no torch, no click."""
