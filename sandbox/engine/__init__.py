"""The Pulumi engine inside the sandbox: its environment, the project's mirror, plugins, and repair after a kill."""
