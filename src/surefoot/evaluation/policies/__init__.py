"""What a policy is worth: its value on logged pairs, win rates, over-optimisation."""
