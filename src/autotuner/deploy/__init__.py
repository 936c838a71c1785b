"""Deployment modes: how a server runs. Each is a plug-in behind the protocol in contracts."""
