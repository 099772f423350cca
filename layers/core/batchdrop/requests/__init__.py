"""What is sent: one request per row."""
