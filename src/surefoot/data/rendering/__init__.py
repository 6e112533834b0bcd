"""The one way in which comparisons become texts and tokens, and what is lost on it."""
