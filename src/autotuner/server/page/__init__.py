"""What a browser is shown: the built pages, the page of the API, and the page that asks for the token."""
