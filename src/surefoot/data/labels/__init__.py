"""Which of two responses is preferred: numbers, words, votes; decided once."""
