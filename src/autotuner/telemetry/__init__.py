"""What a server and its host tell of themselves while the server is measured."""
