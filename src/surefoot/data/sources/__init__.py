"""Where records come from: files and what is inside them, folders, the Hub, and the cache."""
