"""What is found out of a review before any model is asked: language, route, sentiment, opinions, policy."""
