"""Windows through an encoder and a scorer into tables."""
