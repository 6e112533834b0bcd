"""The demo's policies: what is trained and compared, and the tables of it."""
