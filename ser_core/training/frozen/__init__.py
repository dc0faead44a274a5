"""Training of a head on a frozen encoder, whose outputs are computed once and cached."""
