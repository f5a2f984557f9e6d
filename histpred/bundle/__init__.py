"""A bundle: everything that is fixed between a window and a probability, in one folder."""
