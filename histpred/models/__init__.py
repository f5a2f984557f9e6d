"""Bundles and the network inside them."""
