"""From the bytes of a file to one waveform: two decoders, the choice between them, and what they left out."""
