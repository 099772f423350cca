"""Deploy the application to an AWS account, and take it down: `make deploy`, `make destroy`."""
