"""Language models as scorers: reward models and policies, from text to scores of pairs."""
