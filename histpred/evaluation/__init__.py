"""How well a bundle does on rows it was not trained on, and beside what."""
