"""Serves predictions from a table as if a server ran: for trying out searches. Nothing here is a measurement."""
