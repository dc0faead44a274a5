"""Store of decoded recordings: one memory-mapped int16 array (16 kHz mono) and its index (CSV)."""
