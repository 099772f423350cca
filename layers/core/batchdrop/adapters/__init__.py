"""The ports, made real: AWS services, the Anthropic API, file formats."""
