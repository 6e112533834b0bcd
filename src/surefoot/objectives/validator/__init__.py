"""What composes: the rules, one file for each slot, and the one validator that reads them."""
