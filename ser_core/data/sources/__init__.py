"""Official sources of the corpora: what they are, and their download from each service."""
