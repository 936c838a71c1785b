"""What the clients that are programs of their own share."""
