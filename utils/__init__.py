"""What the scripts are made of, one room per question."""
