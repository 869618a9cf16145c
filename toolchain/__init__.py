"""Gets what a checkout needs on a bare machine: the Python environment, the Pulumi engine, a few system programs.

Standard library only: it runs on the system's python3, before anything is installed.
"""
