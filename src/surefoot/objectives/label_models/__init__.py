"""One file per label model; a file that is put here joins the slot."""
