"""The scale model: the AWS usage of a job of any size."""
