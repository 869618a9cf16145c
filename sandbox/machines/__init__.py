"""Machines of the sandbox: really booted systemd-nspawn hosts for the AWS API's instances.

`controller.start(state, endpoint)` starts the process that reconciles them.
`python -m sandbox.machines` is for people and tests.
"""
