"""What stands before every request: who may ask, from where, and with how much; and what every answer says."""
