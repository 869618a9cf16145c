"""What clusters on EC2 instances share: roles, groups, images, user data, the node agent's artefact."""
