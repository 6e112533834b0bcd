"""One file per regulariser; a file that is put here joins the slot."""
