"""The node agent on booted hosts."""
