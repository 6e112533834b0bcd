"""What policies are worth by what they write."""
