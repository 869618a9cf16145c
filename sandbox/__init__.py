"""AWS on this machine: an environment in which any stack file runs unchanged. The product never imports it."""
