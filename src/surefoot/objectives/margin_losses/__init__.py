"""One file per margin loss; a file that is put here joins the slot."""
