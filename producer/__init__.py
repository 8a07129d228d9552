"""Asks for work and shows how it goes; never loads a model."""
