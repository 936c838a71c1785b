"""Attempts in a process of their own: ``executor`` and ``parent`` are this side of it, ``child`` the other one."""
