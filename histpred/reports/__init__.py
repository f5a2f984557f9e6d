"""What people look at: pages, pictures, summaries, and tables for other programs."""
