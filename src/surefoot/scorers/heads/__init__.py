"""One file per head; a file that is put here joins the slot."""
