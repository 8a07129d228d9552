"""The process: opens the engine once, closes it well. The only place that names concrete things."""
