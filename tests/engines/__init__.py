"""What runs the code under test in ways that AWS would: interleaved, killed, in memory, state by state."""
