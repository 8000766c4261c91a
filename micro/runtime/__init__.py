"""What the processes of one Micro tell each other through files."""
