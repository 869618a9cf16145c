"""Stand-ins for Pulumi provider plugins, for machines that cannot download the genuine ones."""
