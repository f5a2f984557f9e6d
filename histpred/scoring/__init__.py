"""Running a bundle's scorer."""
