"""What the operator of an installation sees and repairs: messages of the outbox that could not be delivered."""
