"""Sign-in sessions of people, and the one-time codes that open them."""
