"""An experiment: several configurations on the same rows and splits, and one report on them."""
