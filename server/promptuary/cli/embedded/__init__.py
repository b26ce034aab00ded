"""The service in the process of a command: its services are called directly, and the app where no direct way exists."""
