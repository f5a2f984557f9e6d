"""What is known of which mark lies at which gene, and how rows are parted for training."""
