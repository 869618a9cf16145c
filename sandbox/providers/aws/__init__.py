"""The stand-in for Pulumi's AWS provider: a table per service, boto3, and the rules that all rows share."""
