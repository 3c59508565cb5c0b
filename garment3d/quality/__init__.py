"""Is a garment fit to be used: measured against its photo and its views, with a verdict in words and named faults."""
