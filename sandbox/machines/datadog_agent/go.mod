module timonel/sandbox/datadog_agent

go 1.24.0
