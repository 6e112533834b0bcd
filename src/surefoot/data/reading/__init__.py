"""From records to rows of the contract: each key used, carried, not read or refused."""
