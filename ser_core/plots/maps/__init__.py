"""Maps of embeddings: points, what lies on them, names."""
