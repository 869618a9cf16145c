"""What a destroyed stack left in AWS: a lister for each service of the stacks. Works against real AWS too."""
