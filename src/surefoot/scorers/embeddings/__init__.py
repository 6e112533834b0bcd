"""Reward models on frozen embeddings: encoder, cache, features, clusters of prompts."""
