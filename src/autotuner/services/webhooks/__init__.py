"""Telling the ends of tasks to addresses of the settings: signed, tried again, never to private networks unasked."""
