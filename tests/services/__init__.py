"""Real parts: Valkey, databases, worker, beat and Flower as processes, and signals."""
