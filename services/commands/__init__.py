"""The commands, one a file: each translates between the command line and the services, and stops there."""
