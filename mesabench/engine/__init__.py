"""The engine: one rule-book of compiled kernels, played in batches."""
