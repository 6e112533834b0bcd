"""One file per risk; a file that is put here joins the slot."""
