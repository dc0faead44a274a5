"""Repairs of files and signals of which a part would otherwise be lost."""
