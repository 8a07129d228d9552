"""The whole walk, by the commands that a person types."""
