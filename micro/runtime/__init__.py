"""What the processes of one Micro share through files."""
