"""Language models: the trainer of reward models and policies, and the run around it."""
