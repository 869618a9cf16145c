"""Timonel's own Pulumi provider: what a stack needs of AWS and no other provider does."""
