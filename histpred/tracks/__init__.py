"""What histpred writes for people, browsers and other programs."""
