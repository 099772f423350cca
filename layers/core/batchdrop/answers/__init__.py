"""What came back: answers, and what became of each row."""
