"""Protection of the server and of its users from each other: fair shares, memory, headers."""
