"""The service: REST, live events, pages. A router reads the request and calls one service."""
