"""What enters: files and configurations of others, read under limits of size and depth."""
