"""Model cards: README.md of each checkpoint, written from its files and results."""
